import { z } from "@hono/zod-openapi";
import { missedPolicies } from "../../../../db/schema/schedules.ts";
import { isWithinDepth } from "../../../platform/json.ts";
import { storableText } from "../../../platform/text.ts";
import { cronMistake, isTimezone } from "./timetable.ts";

const inputBytesMax = 262_144;
const inputDepthMax = 100;
const everyMsMax = 366 * 86_400_000;

export const scheduleId = z.string().max(64).openapi({ example: "sch_0199f0a8c7d87d1b9c5f2f6d4b7a1e44" });

const cron = z
  .string()
  .max(256)
  .superRefine((value, context) => {
    const mistake = cronMistake(value);
    if (mistake) context.addIssue({ code: "custom", message: mistake });
  })
  .openapi({
    example: "0 9 * * MON-FRI",
    description: [
      "Minute, hour, day of month, month, weekday; with six fields seconds come first. Lists, ranges, steps, names, `L` and `#` as in cron-parser; no `@daily`, no `H`.",
      "As with Vixie's cron, fixed hours follow the clock on the wall: a tick in the hour that summer time leaves out comes as much later as the clock was moved",
      "(02:30 at 03:30), one in the hour that comes twice at its first time only. A schedule that runs every hour runs in both.",
    ].join(" "),
  });
const everyMs = z
  .number()
  .int()
  .min(1_000)
  .max(everyMsMax)
  .openapi({ example: 60_000, description: "Counted from `startsAt`, or from when it was set" });
const timezone = z
  .string()
  .max(64)
  .refine(isTimezone, { error: "is not an IANA time zone such as Europe/Berlin" })
  .openapi({ example: "Europe/Berlin", description: "Of `cron`; an IANA name" });
const queue = z.string().max(64).openapi({ example: "sandbox-execution" });
const input = z
  .unknown()
  .refine((value) => value !== undefined && value !== null, { error: "is missing", abort: true })
  .refine((value) => isWithinDepth(value, inputDepthMax), { error: `nested more than ${inputDepthMax} levels deep`, abort: true })
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= inputBytesMax, { error: `must not be larger than ${inputBytesMax} bytes` })
  .openapi({ example: { executionId: "exe_0199f0a8c7d87d1b9c5f2f6d4b7a1e3d" }, description: "Of each task; as the queue expects it" });
const name = storableText(100).min(1).openapi({ example: "weekday report" });
const missed = z.enum(missedPolicies).openapi({
  description: [
    "What becomes of ticks that no copy was there to run (found more than 10 seconds late): `skip` none of them, `once` one task for all,",
    "`all` a task each, of the newest 100. What falls into a pause is never made up for.",
  ].join(" "),
});
const moment = z.iso.datetime({ offset: true });

export const schedule = z
  .object({
    id: scheduleId,
    cron: z.string().nullable(),
    everyMs: z.number().int().nullable(),
    timezone: z.string(),
    queue,
    input: z.unknown(),
    name: z.string().nullable(),
    paused: z.boolean(),
    missed: z.enum(missedPolicies),
    startsAt: z.iso.datetime().nullable(),
    endsAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
    nextRunAt: z.iso.datetime().nullable().openapi({ description: "Null while it is paused or over" }),
    lastRunAt: z.iso.datetime().nullable(),
    lastTaskId: z.string().nullable(),
    lastError: z.string().nullable().openapi({ description: "Why no task could be made" }),
  })
  .openapi("Schedule");
/** In lists; the input is in the schedule itself. */
export const scheduleSummary = schedule.omit({ input: true }).openapi("ScheduleSummary");

export const scheduleAnswer = z.object({ schedule });
export const schedulePage = z.object({ data: z.array(scheduleSummary), nextCursor: z.string().nullable() }).openapi("SchedulePage");
export const upcomingAnswer = z.object({ data: z.array(z.iso.datetime()) }).openapi("UpcomingTicks");

export const createScheduleRequest = z
  .strictObject({
    cron: cron.optional(),
    everyMs: everyMs.optional(),
    timezone: timezone.default("UTC"),
    queue,
    input,
    name: name.optional(),
    paused: z.boolean().default(false),
    missed: missed.default("once"),
    startsAt: moment.optional(),
    endsAt: moment.optional(),
  })
  .superRefine((given, context) => {
    if (given.cron === undefined && given.everyMs === undefined)
      context.addIssue({ code: "custom", path: ["cron"], message: "is missing: give cron or everyMs" });
    if (given.cron !== undefined && given.everyMs !== undefined) context.addIssue({ code: "custom", path: ["everyMs"], message: notBoth });
  })
  .openapi("CreateScheduleRequest");

/** A schedule out of an export, as far as another can be made from it: how it has run so far stays behind. */
export const exportedSchedule = z.object({
  cron: cron.nullable(),
  everyMs: everyMs.nullable(),
  timezone,
  queue,
  input,
  name: name.nullable(),
  paused: z.boolean(),
  missed,
  startsAt: moment.nullable(),
  endsAt: moment.nullable(),
});

/** `cron` takes the place of `everyMs`, and the other way round. Null takes a name or a bound away. */
export const updateScheduleRequest = z
  .strictObject({
    cron: cron.optional(),
    everyMs: everyMs.optional(),
    timezone: timezone.optional(),
    queue: queue.optional(),
    input: input.optional(),
    name: name.nullable().optional(),
    paused: z.boolean().optional(),
    missed: missed.optional(),
    startsAt: moment.nullable().optional(),
    endsAt: moment.nullable().optional(),
  })
  .superRefine((given, context) => {
    if (given.cron !== undefined && given.everyMs !== undefined) context.addIssue({ code: "custom", path: ["everyMs"], message: notBoth });
  })
  .openapi("UpdateScheduleRequest");

const notBoth = "give cron or everyMs, not both";

export const scheduleQuery = z.strictObject({
  queue: queue.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: scheduleId.optional(),
});
export const upcomingQuery = z.strictObject({ count: z.coerce.number().int().min(1).max(100).default(10) });
