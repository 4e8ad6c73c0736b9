import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import { resultEntry, stateEntry } from "../record/entries.ts";
import { type TaskMove, taskRecord } from "../record/store.ts";
import { predecessorsOf, withoutSuccess } from "../states.ts";
import type { DispatchStore } from "./store.ts";

export interface Caretaker {
  /** From now on this copy leads: what others failed to do counts from here. */
  begin(): void;
  /** Sees to what is due; throws when the database can't be asked. */
  look(): Promise<void>;
  isPaused(queue: string): boolean;
}

export interface CaretakerDeps {
  readonly db: Db;
  readonly store: Pick<DispatchStore, "due" | "orphans" | "pausedQueues">;
  readonly ring: (queue: string) => void;
  readonly wakeRelay: () => void;
  readonly now: Now;
  readonly log: Logger;
}

const batchSize = 500;
const orphansEveryMs = 1_000;
/** Workers report every two seconds. */
const lostAfterMs = 8_000;
/** Between two looks; longer, and this copy was cut off from the database, and so may be the workers. */
const cutOffMs = 3_000;
/** A task whose worker was lost this often is the likely cause. */
const lossesMax = 3;

/** What the leading copy does for all tasks: wakes the delayed, takes back what lost its worker, knows which queues are paused. */
export function createCaretaker({ db, store, ring, wakeRelay, now, log }: CaretakerDeps): Caretaker {
  let paused: ReadonlySet<string> = new Set();
  let watchingSince = performance.now();
  let lookedAt = performance.now();
  let orphansAt = Number.NEGATIVE_INFINITY;

  const apply = async (moves: readonly TaskMove[]) => {
    const moved = await taskRecord.moveAndTell(moves, now(), db);
    if (moved.length > 0) wakeRelay();
    for (const queue of new Set(moved.map((it) => it.queue))) ring(queue);
  };

  const wakeDelayed = async () => {
    const due = await store.due(batchSize);
    await apply(
      due.map(({ id, round, attempts }) => ({ id, round, from: ["delayed"], to: "waiting", entries: [stateEntry("waiting", attempts)] })),
    );
  };

  const takeBackOrphans = async () => {
    const orphans = await store.orphans(lostAfterMs, batchSize);
    if (orphans.length > 0) log.warn({ tasks: orphans.length }, "workers were lost; their tasks run again");
    await apply(orphans.map((task) => (task.losses + 1 >= lossesMax ? ended(task, now()) : again(task))));
  };

  return {
    begin: () => {
      watchingSince = performance.now();
      lookedAt = performance.now();
    },
    look: async () => {
      if (performance.now() - lookedAt > cutOffMs) watchingSince = performance.now();
      paused = await store.pausedQueues();
      await wakeDelayed();
      const at = performance.now();
      if (at - watchingSince > lostAfterMs && at - orphansAt > orphansEveryMs) {
        orphansAt = at;
        await takeBackOrphans();
      }
      lookedAt = performance.now();
    },
    isPaused: (queue) => paused.has(queue),
  };
}

type Orphan = Awaited<ReturnType<DispatchStore["orphans"]>>[number];

function again({ id, round, attempts }: Orphan): TaskMove {
  return { id, round, from: ["active"], to: "waiting", again: true, lost: true, entries: [stateEntry("waiting", attempts)] };
}

function ended({ id, round, attempts, attemptsMax, losses }: Orphan, finishedAt: Date): TaskMove {
  const to = withoutSuccess(attemptsMax);
  const error = { name: "WorkerLost", message: `the worker was lost ${losses + 1} times while it ran this task` };
  return {
    id,
    round,
    from: predecessorsOf(to),
    to,
    lost: true,
    finishedAt,
    error,
    entries: [stateEntry(to, attempts), resultEntry(to, { error })],
  };
}
