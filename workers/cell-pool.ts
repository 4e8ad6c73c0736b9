import type { ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { newSeed } from "../sandbox/seed.ts";
import type { Cell } from "./cell-process.ts";
import { type CellLog, createCellSupply } from "./cell-supply.ts";
import { createFairQueue } from "./fair-queue.ts";

/** As many programs wait as may; try again later. */
export class SandboxBusyError extends Error {
  override readonly name = "SandboxBusyError";
}

/** No program can be run: the pool drains or was stopped, or its cells do not start. */
export class SandboxUnavailableError extends Error {
  override readonly name = "SandboxUnavailableError";
}

/** The program was cancelled before it began. */
class ProgramCancelledError extends Error {
  override readonly name = "ProgramCancelledError";
}

export interface CellPoolOptions {
  /** The program and arguments that end up in `runCell()`. Give absolute paths: cells have working folders of their own. */
  readonly command: readonly string[];
  /** Programs that run at the same time. */
  readonly size: number;
  /** Ready cells beyond `size`, so that replacing one makes nobody wait. */
  readonly spares?: number;
  /** How long after its time limit a program may still answer before its cell is killed. */
  readonly graceMs?: number;
  readonly queueMax?: number;
  /** As many programs as one owner may have waiting. */
  readonly ownerQueueMax?: number;
  /** Programs after which a cell is replaced. */
  readonly runsMax?: number;
  readonly readyTimeoutMs?: number;
  readonly log?: CellLog;
}

export interface CellPoolStats {
  readonly starting: number;
  readonly idle: number;
  readonly busy: number;
  readonly waiting: number;
  readonly runs: number;
  /** Programs that ended with status "killed". */
  readonly killed: number;
  /** Cells started in place of another. */
  readonly restarts: number;
}

export interface CellPool {
  /** Resolves when the first cell is ready, which shows that cells work; the others follow. Rejects when the pool is stopped before. */
  readonly started: Promise<void>;
  /** Owners take turns. Rejects with SandboxBusyError, SandboxUnavailableError or ProgramCancelledError, never for what a program does. */
  execute(request: ExecutionRequest): Promise<ExecutionOutcome>;
  /** Nobody waits for this program any more: it is not run, or ends as killed. */
  cancel(id: string): void;
  stats(): CellPoolStats;
  /** Takes nothing new, and resolves when what waits and runs is done. */
  drain(): Promise<void>;
  /** Kills all cells at once, and rejects what waits or runs. Stopping twice is harmless. */
  stop(): Promise<void>;
}

interface Entry {
  readonly request: ExecutionRequest;
  readonly answer: PromiseWithResolvers<ExecutionOutcome>;
}

export function createCellPool(options: CellPoolOptions): CellPool {
  const {
    command,
    size,
    spares = 1,
    graceMs = 100,
    queueMax = 1_000,
    ownerQueueMax = 200,
    runsMax = 20_000,
    readyTimeoutMs = 10_000,
  } = options;
  const log = options.log ?? { warn: () => undefined };
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  const drained = Promise.withResolvers<void>();
  const waiting = createFairQueue<Entry>();
  const running = new Map<Entry, Cell>();
  const counts = { runs: 0, killed: 0 };
  let state: "open" | "draining" | "stopped" = "open";
  let stopping: Promise<void> | undefined;

  const onChange = (): void => {
    if (supply.stats().idle + running.size > 0) started.resolve();
    if (supply.exhausted()) rejectAll(waiting.clear(), notStarting());
    dispatch();
  };

  const dispatch = (): void => {
    while (running.size < size && waiting.length > 0) {
      const cell = supply.take();
      if (cell === undefined) break;
      const entry = waiting.shift();
      if (entry !== undefined) void runOn(cell, entry);
    }
    if (state === "draining" && waiting.length + running.size === 0) drained.resolve();
  };

  const runOn = async (cell: Cell, entry: Entry): Promise<void> => {
    running.set(entry, cell);
    const { outcome, reusable, reason } = await cell.run(entry.request);
    running.delete(entry);
    counts.runs += 1;
    if (outcome.status === "killed") counts.killed += 1;
    entry.answer.resolve(outcome);
    if (state === "stopped") return;
    if (!reusable) log.warn({ reason, status: outcome.status }, "sandbox cell replaced");
    if (reusable && cell.runs < runsMax) supply.giveBack(cell);
    else supply.replace(cell, reason ?? "it has done its runs");
    dispatch();
  };

  const stop = async (): Promise<void> => {
    state = "stopped";
    const error = new SandboxUnavailableError("the sandbox was stopped");
    started.reject(error);
    rejectAll([...running.keys(), ...waiting.clear()], error);
    running.clear();
    drained.resolve();
    await supply.stop();
  };

  const hasRoom = (owner: string): boolean =>
    (waiting.length < queueMax && waiting.lengthOf(owner) < ownerQueueMax) || (supply.stats().idle > 0 && running.size < size);

  const supply = createCellSupply({ command, graceMs, readyTimeoutMs, count: size + spares, log, onChange });
  return {
    started: started.promise,
    execute: async (request) => {
      if (state !== "open") throw new SandboxUnavailableError(`the sandbox is ${state}`);
      if (supply.exhausted()) throw notStarting();
      const { owner = "" } = request;
      if (!hasRoom(owner)) throw new SandboxBusyError(`${waiting.length} programs are waiting already`);
      const answer = Promise.withResolvers<ExecutionOutcome>();
      // The seed is chosen here so that it is known even of a program whose cell dies.
      waiting.push(owner, { request: { ...request, seed: request.seed ?? newSeed() }, answer });
      dispatch();
      return answer.promise;
    },
    cancel: (id) => {
      const isIt = (entry: Entry) => entry.request.id === id;
      waiting.remove(isIt)?.answer.reject(new ProgramCancelledError("nobody waits for the program any more"));
      for (const [entry, cell] of running) if (isIt(entry)) cell.kill("nobody waits for its program any more");
    },
    stats: () => {
      const { alive, idle, startedEver } = supply.stats();
      const load = { busy: running.size, waiting: waiting.length, ...counts };
      return { starting: Math.max(0, alive - idle - running.size), idle, ...load, restarts: Math.max(0, startedEver - size - spares) };
    },
    drain: () => {
      if (state === "open") state = "draining";
      dispatch();
      return drained.promise;
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function rejectAll(entries: readonly Entry[], error: Error): void {
  for (const entry of entries) entry.answer.reject(error);
}

function notStarting(): SandboxUnavailableError {
  return new SandboxUnavailableError("the sandbox's cells do not start");
}
