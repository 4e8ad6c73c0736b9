import type { QueueName, QueueSettings } from "../../../platform/queue/catalogue.ts";
import type { QueuedJob, Queues } from "../../../platform/queue/port.ts";
import { createFairShare } from "./fair-share.ts";
import type { DispatchStore, WaitingTask } from "./store.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";
import { createWindow } from "./window.ts";

export interface QueueDispatcherDeps {
  readonly queue: QueueName;
  readonly settings: QueueSettings;
  readonly store: Pick<DispatchStore, "groups" | "first" | "jobs" | "unfinished" | "running">;
  readonly queues: Pick<Queues, "add" | "counts">;
}

export interface QueueDispatcher {
  /** Looks for groups that wait; without it only those that are known get turns. */
  discover(): Promise<void>;
  /** Hands on what there is room for; returns how many. */
  dispatch(): Promise<number>;
  /** When to look again without news. */
  readonly lookAgainMs: number;
}

interface HandedOn {
  readonly groupKey: string;
  readonly round: number;
  at: number;
}

/** While something waits that there was no room for. */
const backlogLookMs = 15;
const idleLookMs = 1_000;
/** What has waited in the queue this long is added again, in case the store has lost it. */
const addAgainMs = 10_000;
/** Beyond this many the record is asked which of them have ended. */
const forgetAbove = 256;

/**
 * Hands the tasks of one queue on to its workers, a few at a time and in turns. The record keeps what waits, in any number; the queue itself holds what is about to run.
 */
export function createQueueDispatcher({ queue, settings, store, queues }: QueueDispatcherDeps): QueueDispatcher {
  const share = createFairShare();
  const rate = createTokenBucket(settings.rate);
  const groupRates = new Map<string, TokenBucket>();
  /** By task. What a former leader handed on and still waits is handed on again, which changes nothing. */
  const handedOn = new Map<string, HandedOn>();
  const window = createWindow(settings.concurrencyMin);
  let known: Promise<void> | undefined;
  let backlog = false;

  const { activeMax = Number.POSITIVE_INFINITY } = settings;
  const limited = settings.groupConcurrency !== undefined || settings.groupRate !== undefined;

  const groupRate = (groupKey: string): TokenBucket => {
    const bucket = groupRates.get(groupKey) ?? createTokenBucket(settings.groupRate);
    groupRates.set(groupKey, bucket);
    return bucket;
  };

  const load = async () => {
    for (const { id, round, groupKey } of await store.running(queue)) handedOn.set(id, { groupKey, round, at: performance.now() });
  };

  /** Forgets what has ended or begun a new round, and gives back to the queue what seems to be lost there. */
  const reconcile = async () => {
    const unfinished = new Map((await store.unfinished([...handedOn.keys()])).map((row) => [row.id, row]));
    const lost: string[] = [];
    for (const [id, job] of handedOn) {
      const row = unfinished.get(id);
      if (row?.round !== job.round) handedOn.delete(id);
      else if (row.status === "waiting" && performance.now() - job.at > addAgainMs) lost.push(id);
    }
    if (lost.length > 0)
      await add(lost.map((id) => ({ id, round: handedOn.get(id)?.round ?? 0, groupKey: handedOn.get(id)?.groupKey ?? "" })));
  };

  const inFlight = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const { groupKey } of handedOn.values()) counts.set(groupKey, (counts.get(groupKey) ?? 0) + 1);
    return counts;
  };

  const add = async (some: readonly WaitingTask[]): Promise<number> => {
    const rows = new Map((await store.jobs(some.map(({ id }) => id))).map((row) => [row.id, row]));
    const groups = new Map(some.map((task) => [task.id, task.groupKey]));
    // In their turns, which the database does not keep.
    const jobs = some.flatMap(({ id }) => rows.get(id) ?? []).map((row): QueuedJob => toJob(queue, settings, row));
    if (jobs.length > 0) await queues.add(jobs);
    for (const { taskId, round } of jobs) handedOn.set(taskId, { groupKey: groups.get(taskId) ?? "", round, at: performance.now() });
    return jobs.length;
  };

  /** Deals turns, finds the tasks for them, and gives back what nobody could use. */
  const deal = async (count: number): Promise<WaitingTask[]> => {
    const flying = inFlight();
    const limitOf = (groupKey: string, weight: number) =>
      limited
        ? Math.min(
            (settings.groupConcurrency ?? Number.POSITIVE_INFINITY) * weight - (flying.get(groupKey) ?? 0),
            groupRate(groupKey).available(),
          )
        : count;
    const turns = share.deal(count, limitOf);
    if (turns.size === 0) return [];
    // What was handed on may still wait, and stands before the others.
    const limits = new Map([...turns].map(([key, turn]) => [key, turn + (flying.get(key) ?? 0)]));
    const fresh = (await store.first(queue, limits)).filter(({ id, round }) => handedOn.get(id)?.round !== round);
    const found = Map.groupBy(fresh, ({ groupKey }) => groupKey);
    return [...turns].flatMap(([key, turn]) => {
      const tasks = (found.get(key) ?? []).slice(0, turn);
      if (tasks.length < turn) {
        share.undo(key, turn - tasks.length);
        share.remove(key);
      }
      if (settings.groupRate) groupRate(key).take(tasks.length);
      return tasks;
    });
  };

  return {
    discover: async () => {
      known ??= load();
      await known;
      for (const waiting of await store.groups(queue)) share.add(waiting);
    },
    dispatch: async () => {
      backlog = share.size > 0;
      if (!backlog) {
        if (handedOn.size > 0) await reconcile();
        return 0;
      }
      const { waiting, active } = await queues.counts(queue);
      if (limited || Number.isFinite(activeMax) || handedOn.size > forgetAbove + 2 * (waiting + active)) await reconcile();
      const room = Math.min(window.room(waiting), rate.available(), activeMax - handedOn.size);
      if (room <= 0) return 0;
      const tasks = await deal(room);
      rate.take(tasks.length);
      const added = tasks.length > 0 ? await add(tasks) : 0;
      window.filled(added);
      return added;
    },
    get lookAgainMs() {
      return backlog ? backlogLookMs : idleLookMs;
    },
  };
}

type JobRow = Awaited<ReturnType<DispatchStore["jobs"]>>[number];

function toJob(queue: QueueName, settings: QueueSettings, row: JobRow): QueuedJob {
  return {
    taskId: row.id,
    round: row.round,
    queue,
    name: row.name,
    input: row.input,
    attempt: row.attempts + 1,
    ...(row.ownerId === null ? {} : { ownerId: row.ownerId }),
    attemptsMax: row.attemptsMax,
    timeoutMs: Math.min(row.timeoutMs ?? settings.timeoutMs, settings.timeoutMs),
    ...(row.checkpoint === null ? {} : { checkpoint: row.checkpoint }),
    ...(row.requestId === null ? {} : { requestId: row.requestId }),
  };
}
