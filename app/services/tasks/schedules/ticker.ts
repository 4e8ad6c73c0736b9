import type { Queryable } from "../../../../db/client.ts";
import { pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { ContractOf } from "./create.ts";
import { scheduleFailed, scheduleTicked } from "./events.ts";
import type { CreateTask } from "./service.ts";
import type { ScheduleRow, ScheduleStore, Settled, Tick } from "./store.ts";
import { createTimetable, type Timetable } from "./timetable.ts";

/** Whether tasks may still be made on that authority. */
export type MayAct = (owner: { readonly ownerId: string; readonly teamId: string | null }, on: Queryable) => Promise<boolean>;

export interface TickerDeps {
  readonly store: Pick<ScheduleStore, "now" | "claimDue" | "msToNextDue" | "takeTicks" | "settle" | "update">;
  readonly transact: Transact;
  readonly createTask: CreateTask;
  readonly contractOf: ContractOf;
  readonly mayAct: MayAct;
  readonly log: Logger;
}

const batchSize = 100;
const pollMsMax = 1_000;
/** What is due and not ours to take is in the hands of another copy, which needs a moment. */
const pollMsMin = 25;
/** A tick that is found later than this was missed. */
const missedAfterMs = 10_000;
const madeUpMax = 100;
const retryMs = 5_000;

/**
 * Turns due ticks into tasks, in every copy at once. Each schedule is worked on by one copy at a time, which holds its row; the task, the row that takes the tick
 * and the schedule's next time are one transaction. Only the database's clock counts.
 */
export function startTicker({ store, transact, createTask, contractOf, mayAct, log }: TickerDeps): Running {
  const stopping = new AbortController();
  const started = Promise.withResolvers<void>();
  /** Schedules whose task could not be made, and when to try again: they must hold up nobody else. */
  const failing = new Map<string, number>();
  let troubled = false;

  /** `since` is when this copy began to work off what is due: what became late while it did so was not missed. */
  const tickBatch = (since: Date | undefined) =>
    transact(async (unit) => {
      const at = await store.now(unit.tx);
      const rows = await store.claimDue({ limit: batchSize, except: [...failing.keys()] }, unit.tx);
      const freshFrom = new Date((since ?? at).getTime() - missedAfterMs);
      const plans: Plan[] = [];
      const allowed = new Map<string, boolean>();
      for (const row of rows) {
        const authority = `${row.ownerId} ${row.teamId}`;
        const may = allowed.get(authority) ?? (await mayAct(row, unit.tx));
        allowed.set(authority, may);
        plans.push(planFor(row, { at, freshFrom, may }));
      }
      const taken = await store.takeTicks(plans.flatMap(ticksOf), unit.tx);
      const isTaken = new Set(taken.map(keyOf));
      const settled: Settled[] = [];
      for (const plan of plans)
        settled.push(await settle(unit, plan, { at, ticks: plan.ticks.filter((tick) => isTaken.has(keyOf(tick))) }));
      if (settled.length > 0) await store.settle(settled, unit.tx);
      return { at, claimed: rows.length };
    });

  const settle = async (
    unit: Unit,
    { row, next }: Plan,
    { at, ticks }: { readonly at: Date; readonly ticks: readonly Tick[] },
  ): Promise<Settled> => {
    const { id, paused, lastRunAt, lastTaskId, lastError } = row;
    const settled = { id, paused, lastRunAt, lastTaskId, lastError, nextRunAt: next, lastTickAt: at };
    if (ticks.length === 0) return settled;
    const contract = contractOf(row.queue);
    const parsed = contract?.input.safeParse(row.input);
    const address = { subject: id, ...addressedTo(row) };
    if (!contract || !parsed?.success) {
      const error = contract ? "The input is no longer what the queue expects." : `The queue ${row.queue} no longer takes tasks from you.`;
      unit.publish(scheduleFailed, { ...address, data: { queue: row.queue, error } });
      return { ...settled, paused: true, nextRunAt: null, lastError: error };
    }
    let taskId = lastTaskId;
    for (const { tickAt } of ticks) {
      const request = { contract, input: parsed.data, ownerId: row.ownerId, ...(row.teamId ? { teamId: row.teamId } : {}) };
      const task = await createTask(unit, request).catch((error: unknown) => {
        throw new TaskNotMade(id, error);
      });
      taskId = task.id;
      unit.publish(scheduleTicked, { ...address, data: { taskId, queue: row.queue, tickAt: tickAt.toISOString() } });
    }
    return { ...settled, lastRunAt: at, lastTaskId: taskId, lastError: null };
  };

  const setAside = async ({ scheduleId, cause }: TaskNotMade) => {
    failing.set(scheduleId, performance.now() + retryMs);
    log.warn({ err: cause, scheduleId }, "a schedule's task could not be made; trying again soon");
    const lastError = cause instanceof Problem ? cause.message : "The task could not be made; trying again.";
    await store.update(scheduleId, { lastError });
  };

  const drain = async () => {
    for (const [id, until] of failing) if (until <= performance.now()) failing.delete(id);
    let since: Date | undefined;
    for (let claimed = batchSize; claimed === batchSize && !stopping.signal.aborted; ) {
      try {
        const batch = await tickBatch(since);
        since ??= batch.at;
        claimed = batch.claimed;
      } catch (error) {
        if (!(error instanceof TaskNotMade)) throw error;
        await setAside(error);
      }
    }
  };

  const look = async (): Promise<number> => {
    try {
      await drain();
      const ms = (await store.msToNextDue([...failing.keys()])) ?? pollMsMax;
      if (troubled) log.info("the schedules go on");
      troubled = false;
      started.resolve();
      return Math.min(Math.max(Math.ceil(ms), pollMsMin), pollMsMax);
    } catch (error) {
      if (!troubled && !stopping.signal.aborted) log.warn({ err: error }, "the schedules could not be read; trying again");
      troubled = true;
      return pollMsMax;
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) await pause(await look(), stopping.signal);
    started.resolve();
  })();
  return {
    started: started.promise,
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

interface Plan {
  readonly row: ScheduleRow;
  readonly ticks: readonly Tick[];
  readonly next: Date | null;
}

class TaskNotMade extends Error {
  override readonly name = "TaskNotMade";
  readonly scheduleId: string;

  constructor(scheduleId: string, cause: unknown) {
    super("the task of a schedule could not be made", { cause });
    this.scheduleId = scheduleId;
  }
}

interface Look {
  readonly at: Date;
  /** What was due before that and is found only now was missed. */
  readonly freshFrom: Date;
  readonly may: boolean;
}

function planFor(row: ScheduleRow, look: Look): Plan {
  const timetable = createTimetable(row);
  const ticks = look.may ? ticksToRun(row, timetable, look) : [];
  return { row, next: timetable.next(look.at) ?? null, ticks: ticks.map((tickAt) => ({ scheduleId: row.id, tickAt })) };
}

/** The ticks that are due and not yet dealt with, as far as the schedule's policy for missed ones lets them run. */
function ticksToRun(row: ScheduleRow, timetable: Timetable, { at, freshFrom }: Look): readonly Date[] {
  const from = new Date(Math.max(row.nextRunAt?.getTime() ?? at.getTime(), (row.lastTickAt?.getTime() ?? 0) + 1));
  const due = timetable.newest(madeUpMax, { from, until: at });
  if (row.missed === "all") return due;
  const fresh = due.filter((tick) => tick >= freshFrom);
  // What runs now stands for what was missed before it.
  if (fresh.length > 0 || row.missed === "skip") return fresh;
  return due.slice(-1);
}

function ticksOf({ ticks }: Plan): readonly Tick[] {
  return ticks;
}

function keyOf({ scheduleId, tickAt }: Tick): string {
  return `${scheduleId} ${tickAt.getTime()}`;
}
