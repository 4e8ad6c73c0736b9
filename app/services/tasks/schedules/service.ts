import type { z } from "zod";
import { type Actor, ownershipOf, type RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { Can } from "../../auth/can.ts";
import type { TaskRequest } from "../record/create.ts";
import { asMoment, type CreateScheduleDeps, createCreateSchedule, createParseInput, firstTick } from "./create.ts";
import { scheduleDeleted, scheduleTicked, scheduleUpdated } from "./events.ts";
import type { createScheduleRequest, scheduleQuery, updateScheduleRequest } from "./schema.ts";
import type { ScheduleRow, ScheduleStore } from "./store.ts";
import { createTimetable } from "./timetable.ts";
import { type ScheduleSummary, type ScheduleView, toScheduleSummary, toScheduleView } from "./view.ts";

export type ScheduleService = ReturnType<typeof createScheduleService>;

/** Part of the caller's unit of work: the task is there when that commits, or not at all. */
export type CreateTask = <Input>(unit: Unit, request: TaskRequest<Input>) => Promise<{ readonly id: string }>;
export interface ScheduleDeps extends CreateScheduleDeps {
  readonly store: ScheduleStore;
  readonly createTask: CreateTask;
  readonly can: Can;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

type Changes = z.infer<typeof updateScheduleRequest>;

/** What a client may do with schedules. Somebody else's does not exist for it; administrators see all. */
export function createScheduleService(deps: ScheduleDeps) {
  const { store, transact, createTask, can } = deps;
  const create = createCreateSchedule(deps);
  const parsedInput = createParseInput(deps.contractOf);
  const assertSeen = async (actor: Actor, id: string, row: ScheduleRow | undefined): Promise<ScheduleRow> => {
    if (!row || !(await can(actor, "tasks:read", row))) throw new Problem("not_found", { detail: `There is no schedule ${id}.` });
    return row;
  };
  const seen = async (actor: Actor, id: string) => assertSeen(actor, id, await store.find(id));
  const locked = async (unit: Unit, actor: Actor, id: string): Promise<ScheduleRow> => {
    const row = await assertSeen(actor, id, await store.lock(id, unit.tx));
    if (!(await can(actor, "tasks:write", row))) throw new Problem("forbidden", { detail: "You may see this schedule, not change it." });
    return row;
  };

  return {
    create: ({ actor, origin }: Call, given: z.infer<typeof createScheduleRequest>): Promise<ScheduleView> =>
      create({ ...ownershipOf(actor), actorId: actor.userId, origin }, given),

    get: async (actor: Actor, id: string): Promise<ScheduleView> => toScheduleView(await seen(actor, id)),

    list: async (actor: Actor, query: z.infer<typeof scheduleQuery>): Promise<{ data: ScheduleSummary[]; nextCursor: string | null }> => {
      const rows = await store.list({
        ...(actor.role === "admin" ? {} : ownershipOf(actor)),
        ...(query.queue ? { queue: query.queue } : {}),
        ...(query.cursor ? { before: query.cursor } : {}),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      return { data: page.map(toScheduleSummary), nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** What fell into a pause is not made up for: a schedule that is resumed, or gets other times, goes on from now. */
    update: (call: Call, id: string, changes: Changes): Promise<ScheduleView> =>
      transact(async (unit) => {
        const before = await locked(unit, call.actor, id);
        const now = await store.now(unit.tx);
        const after = merge(before, changes, now);
        if (changes.queue !== undefined || changes.input !== undefined || resumes(before, after)) parsedInput(after.queue, after.input);
        const retimed = timingFields.some((field) => changes[field] !== undefined);
        if (after.paused) after.nextRunAt = null;
        else if (retimed || before.paused) after.nextRunAt = firstTick(after, now);
        if (resumes(before, after)) after.lastError = null;
        const { id: _, ownerId, teamId, createdAt, ...set } = after;
        const row = (await store.update(id, set, unit.tx)) ?? after;
        unit.publish(scheduleUpdated, { ...addressOf(row, call), data: { changed: Object.keys(changes), paused: row.paused } });
        return toScheduleView(row);
      }),

    delete: (call: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        const row = await locked(unit, call.actor, id);
        await store.delete(id, unit.tx);
        unit.publish(scheduleDeleted, { ...addressOf(row, call), data: { queue: row.queue } });
      }),

    /** The next ticks, `count` at most; none while it is paused. */
    upcoming: async (actor: Actor, id: string, count: number): Promise<string[]> => {
      const row = await seen(actor, id);
      if (row.paused) return [];
      const timetable = createTimetable(row);
      const ticks: string[] = [];
      let at = timetable.next(await store.now());
      for (; at && ticks.length < count; at = timetable.next(at)) ticks.push(at.toISOString());
      return ticks;
    },

    /** One task at once, beside the ticks; also of a schedule that is paused. */
    run: (call: Call, id: string): Promise<{ readonly taskId: string }> =>
      transact(async (unit) => {
        const row = await locked(unit, call.actor, id);
        const { ownerId, teamId, queue } = row;
        const { contract, input } = parsedInput(queue, row.input);
        const { requestId } = call.origin;
        const task = await createTask(unit, { contract, input, ownerId, ...(teamId ? { teamId } : {}), requestId });
        await store.update(id, { lastRunAt: await store.now(unit.tx), lastTaskId: task.id }, unit.tx);
        unit.publish(scheduleTicked, { ...addressOf(row, call), data: { taskId: task.id, queue, tickAt: null } });
        return { taskId: task.id };
      }),
  };
}

const timingFields = ["cron", "everyMs", "timezone", "startsAt", "endsAt"] as const satisfies readonly (keyof Changes)[];

function resumes(before: ScheduleRow, after: ScheduleRow): boolean {
  return before.paused && !after.paused;
}

function merge(row: ScheduleRow, changes: Changes, now: Date): ScheduleRow {
  const { cron, everyMs } = changes;
  const startsAt = orKeep(asMoment(changes.startsAt), row.startsAt);
  const anchored = changes.startsAt === undefined && (everyMs === undefined || everyMs === row.everyMs);
  return {
    ...row,
    cron: everyMs === undefined ? orKeep(cron, row.cron) : null,
    everyMs: cron === undefined ? orKeep(everyMs, row.everyMs) : null,
    startsAt,
    endsAt: orKeep(asMoment(changes.endsAt), row.endsAt),
    anchorAt: anchored ? row.anchorAt : (startsAt ?? now),
    timezone: orKeep(changes.timezone, row.timezone),
    queue: orKeep(changes.queue, row.queue),
    input: orKeep(changes.input, row.input),
    name: orKeep(changes.name, row.name),
    paused: orKeep(changes.paused, row.paused),
    missed: orKeep(changes.missed, row.missed),
  };
}

function orKeep<T>(given: T | undefined, kept: T): T {
  return given === undefined ? kept : given;
}

function addressOf(row: Pick<ScheduleRow, "id" | "ownerId" | "teamId">, { actor, origin }: Call) {
  return { subject: row.id, ...addressedTo(row), actorId: actor.userId, origin };
}
