import type { Db } from "../../../../db/client.ts";
import { isDatabaseUnavailable } from "../../../../db/errors.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import { type TaskMove, taskRecord } from "./store.ts";

/** What a task says or returns is nothing that a database can keep. */
export class NotStorable extends Error {
  override readonly name = "NotStorable";
}

/** Writes the steps of running tasks, many at a time. */
export interface TaskRecorder {
  /** Resolves when the step is stored; false when the task's state or round did not allow it. Rejects when it could not be stored for a while, or never can (`NotStorable`). */
  write(move: TaskMove): Promise<boolean>;
  /** Stores the step with the next ones: what nobody waits for. */
  note(move: TaskMove): void;
  /** Resolves when everything is stored. */
  idle(): Promise<void>;
}

export interface RecorderDeps {
  readonly db: Db;
  readonly now: Now;
  /** Tells the relay that there is something to hand on. */
  readonly wake: () => void;
  readonly log: Logger;
}

/** A task that begins and ends within this time is written once. */
const noteDelayMs = 25;
const batchSize = 500;
/** A database that starts again is waited for this long; then deliveries are given back, to come again. */
const patienceMs = 20_000;
const retryMs = 250;

interface Pending {
  move: TaskMove;
  readonly settle: { resolve(taken: boolean): void; reject(error: unknown): void }[];
}

/** Steps of one task that wait together are one step; while one batch is stored the next one collects. */
export function createTaskRecorder(deps: RecorderDeps): TaskRecorder {
  let pending = new Map<string, Pending>();
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flushSoon = () => {
    running ??= drain();
  };

  const drain = async () => {
    await Promise.resolve();
    while (pending.size > 0) {
      clearTimeout(timer);
      timer = undefined;
      const batch = take();
      const moves = batch.map(({ move }) => move);
      const outcomes = await storeAll(deps, moves);
      for (const { move, settle } of batch) {
        const outcome = outcomes.get(move.id) ?? false;
        for (const { resolve, reject } of settle) outcome instanceof Error ? reject(outcome) : resolve(outcome);
      }
    }
    running = undefined;
  };

  const take = (): Pending[] => {
    const batch = [...pending.values()].slice(0, batchSize);
    if (batch.length === pending.size) pending = new Map();
    else for (const { move } of batch) pending.delete(move.id);
    return batch;
  };

  /** Undefined when an earlier step has made this one impossible. */
  const add = (move: TaskMove): Pending | undefined => {
    const earlier = pending.get(move.id);
    if (!earlier) {
      const fresh: Pending = { move, settle: [] };
      pending.set(move.id, fresh);
      return fresh;
    }
    if (earlier.move.again || !move.from.includes(earlier.move.to)) return undefined;
    const { from, round } = earlier.move;
    earlier.move = { ...earlier.move, ...move, from, round, entries: [...earlier.move.entries, ...move.entries] };
    return earlier;
  };

  return {
    write: (move) => {
      const at = add(move);
      if (!at) return Promise.resolve(false);
      flushSoon();
      return new Promise((resolve, reject) => at.settle.push({ resolve, reject }));
    },
    note: (move) => {
      add(move);
      timer ??= setTimeout(flushSoon, noteDelayMs);
    },
    idle: async () => {
      if (pending.size > 0) flushSoon();
      await running;
    },
  };
}

/** Together; and when something in it can't be stored, one by one, so that one task holds nobody up. Each gets whether it was taken, or its error. */
async function storeAll(deps: RecorderDeps, moves: readonly TaskMove[]): Promise<ReadonlyMap<string, boolean | Error>> {
  try {
    const taken = await storePatiently(deps, moves);
    return new Map(moves.map(({ id }) => [id, taken.has(id)]));
  } catch (error) {
    const [only] = moves;
    if (only && moves.length === 1) return new Map([[only.id, refusal(error)]]);
    if (isDatabaseUnavailable(error)) return new Map(moves.map(({ id }) => [id, refusal(error)]));
    const outcomes = new Map<string, boolean | Error>();
    for (const move of moves) for (const [id, outcome] of await storeAll(deps, [move])) outcomes.set(id, outcome);
    return outcomes;
  }
}

function refusal(error: unknown): Error {
  const cause = error instanceof Error ? error : new Error(String(error));
  return isDatabaseUnavailable(error) ? cause : new NotStorable(`this can't be stored: ${cause.message}`, { cause });
}

async function storePatiently(deps: RecorderDeps, moves: readonly TaskMove[]): Promise<ReadonlySet<string>> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await store(deps, moves);
    } catch (error) {
      if (!isDatabaseUnavailable(error) || performance.now() > giveUpAt) throw error;
      deps.log.warn({ err: error, tasks: moves.length }, "tasks could not be recorded; trying again");
      await Bun.sleep(retryMs);
    }
  }
}

async function store({ db, now, wake }: RecorderDeps, moves: readonly TaskMove[]): Promise<ReadonlySet<string>> {
  const moved = await taskRecord.moveAndTell(moves, now(), db);
  if (moved.length > 0) wake();
  return new Set(moved.map(({ id }) => id));
}
