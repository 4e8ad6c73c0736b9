import type { z } from "zod";
import type { RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { JobContract } from "../../../platform/queue/job.ts";
import { scheduleCreated } from "./events.ts";
import type { createScheduleRequest } from "./schema.ts";
import type { ScheduleStore } from "./store.ts";
import { createTimetable, type Timing } from "./timetable.ts";
import { type ScheduleView, toScheduleView } from "./view.ts";

/** What callers may put into that queue; undefined for a queue that takes nothing from them. */
export type ContractOf = (queue: string) => JobContract | undefined;

export interface CreateScheduleDeps {
  readonly store: Pick<ScheduleStore, "now" | "lockAndCount" | "insert">;
  readonly transact: Transact;
  readonly contractOf: ContractOf;
  /** How many schedules one user may have. */
  readonly schedulesMax: number;
}

export interface NewOwner {
  readonly ownerId: string;
  readonly teamId?: string;
  readonly actorId: string;
  readonly origin?: RequestOrigin;
}

export type CreateSchedule = (owner: NewOwner, given: z.infer<typeof createScheduleRequest>) => Promise<ScheduleView>;

/** Throws `Problem`: `not_found` for the queue, `validation_failed`, `conflict` when the owner has too many. */
export function createCreateSchedule({ store, transact, contractOf, schedulesMax }: CreateScheduleDeps): CreateSchedule {
  const parsedInput = createParseInput(contractOf);
  return ({ actorId, origin, ...owner }, given) =>
    transact(async (unit) => {
      parsedInput(given.queue, given.input);
      const now = await store.now(unit.tx);
      const startsAt = asMoment(given.startsAt ?? null);
      const timing = {
        cron: given.cron ?? null,
        everyMs: given.everyMs ?? null,
        timezone: given.timezone,
        startsAt,
        endsAt: asMoment(given.endsAt ?? null),
        anchorAt: startsAt ?? now,
      };
      const first = firstTick(timing, now);
      if ((await store.lockAndCount(owner.ownerId, unit.tx)) >= schedulesMax)
        throw new Problem("conflict", { detail: `You have ${schedulesMax} schedules already: delete one first.` });
      const { queue, input, paused, missed } = given;
      const row = await store.insert(
        {
          ...{ ...owner, ...timing, queue, input, paused, missed },
          id: newId("schedule"),
          name: given.name ?? null,
          nextRunAt: paused ? null : first,
          createdAt: now,
        },
        unit.tx,
      );
      const { cron, everyMs, timezone } = timing;
      const address = { subject: row.id, ...addressedTo(row), actorId, ...(origin ? { origin } : {}) };
      unit.publish(scheduleCreated, { ...address, data: { queue, cron, everyMs, timezone } });
      return toScheduleView(row);
    });
}

/** What the queue takes and the input as it takes it. Throws `Problem`: `not_found`, or `validation_failed` with pointers under `/input`. */
export function createParseInput(contractOf: ContractOf) {
  return (queue: string, input: unknown) => {
    const contract = contractOf(queue);
    if (!contract) throw new Problem("not_found", { detail: `There is no queue ${queue} that takes tasks from you.` });
    const parsed = contract.input.safeParse(input);
    if (!parsed.success) throw invalidInput(parsed.error);
    return { contract, input: parsed.data };
  };
}

/** Throws when there is none: a schedule that never does anything is a mistake. */
export function firstTick(timing: Timing, now: Date): Date {
  if (timing.startsAt && timing.endsAt && timing.endsAt <= timing.startsAt)
    throw invalid([{ pointer: "/endsAt", detail: "must be after startsAt" }]);
  const first = createTimetable(timing).next(now);
  if (!first) throw invalid([{ pointer: timing.endsAt ? "/endsAt" : "/cron", detail: "no tick would come any more" }]);
  return first;
}

export function asMoment<None extends null | undefined>(text: string | None): Date | None {
  return typeof text === "string" ? new Date(text) : text;
}

function invalidInput(error: z.ZodError): Problem {
  return invalid(
    error.issues.slice(0, errorsMax).map(({ path, message }) => ({
      pointer: ["/input", ...path.map((part) => String(part).replaceAll("~", "~0").replaceAll("/", "~1"))].join("/"),
      detail: message,
    })),
  );
}

const errorsMax = 50;

function invalid(errors: readonly { readonly pointer: string; readonly detail: string }[]): Problem {
  return new Problem("validation_failed", { detail: "One or more fields are not as expected.", errors });
}
