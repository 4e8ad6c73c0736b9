import type { AskHost, ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { newSeed } from "../sandbox/seed.ts";
import type { Cell } from "./cell-process.ts";
import { type CellLog, createCellSupply } from "./cell-supply.ts";
import { createCpuBudget } from "./cpu-budget.ts";
import { createFairQueue } from "./fair-queue.ts";

/** As many programs wait as may; try again later. */
export class SandboxBusyError extends Error {
  override readonly name = "SandboxBusyError";
}

/** The owner's programs have used the CPU time they may; try again later. */
export class SandboxBudgetError extends Error {
  override readonly name = "SandboxBudgetError";
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
  /** As many as one owner may have running; below `size`, so that nobody can hold all cells. */
  readonly ownerConcurrency?: number;
  /** CPU time that one owner's programs may use. */
  readonly ownerCpuMsPerMinute?: number;
  /** A cell that holds more than this and its last program's memory is replaced. */
  readonly rssBytesMax?: number;
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
  /** Memory of the cells' processes after their last programs. */
  readonly rssBytes: number;
}

export interface CellPool {
  /** Resolves when the first cell is ready, which shows that cells work; the others follow. Rejects when the pool is stopped before. */
  readonly started: Promise<void>;
  /** Owners take turns. Rejects with SandboxBusyError, SandboxUnavailableError or ProgramCancelledError, never for what a program does. */
  execute(request: ExecutionRequest, ask?: AskHost): Promise<ExecutionOutcome>;
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
  readonly ask: AskHost;
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
    ownerConcurrency = Math.max(1, size - 1),
    ownerCpuMsPerMinute = Number.POSITIVE_INFINITY,
    rssBytesMax = 402_653_184,
    runsMax = 20_000,
    readyTimeoutMs = 10_000,
  } = options;
  const log = options.log ?? { warn: () => undefined };
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  const drained = Promise.withResolvers<void>();
  const waiting = createFairQueue<Entry>();
  const running = new Map<Entry, Cell>();
  const runningOf = new Map<string, number>();
  const reserved = ownerConcurrency < size ? 1 : 0;
  const budget = createCpuBudget(ownerCpuMsPerMinute);
  const counts = { runs: 0, killed: 0 };
  let state: "open" | "draining" | "stopped" = "open";
  let stopping: Promise<void> | undefined;

  const onChange = (): void => {
    if (supply.stats().idle + running.size > 0) started.resolve();
    if (supply.exhausted()) rejectAll(waiting.clear(), notStarting());
    dispatch();
  };

  /** The last idle cell is for an owner who has none yet: while those that were killed are replaced there may be no other. */
  const mayHaveTurn = (owner: string): boolean => {
    const held = runningOf.get(owner) ?? 0;
    return held === 0 || (held < ownerConcurrency && supply.stats().idle > reserved);
  };

  const dispatch = (): void => {
    while (running.size < size && supply.stats().idle > 0) {
      const entry = waiting.shift(mayHaveTurn);
      const cell = entry && supply.take();
      if (!cell) break;
      void runOn(cell, entry);
    }
    if (state === "draining" && waiting.length + running.size === 0) drained.resolve();
  };

  const runOn = async (cell: Cell, entry: Entry): Promise<void> => {
    const { request, ask } = entry;
    const owner = ownerOf(request);
    running.set(entry, cell);
    runningOf.set(owner, (runningOf.get(owner) ?? 0) + 1);
    const { outcome, cpuMs, reusable, reason } = await cell.run(request, ask);
    running.delete(entry);
    leave(owner);
    budget.spend(owner, cpuMs);
    counts.runs += 1;
    if (outcome.status === "killed") counts.killed += 1;
    entry.answer.resolve(outcome);
    if (state === "stopped") return;
    if (!reusable) log.warn({ reason, status: outcome.status }, "sandbox cell replaced");
    const worn = reusable ? wearOf(cell, request) : (reason ?? "it is spoiled");
    if (worn === undefined) supply.giveBack(cell);
    else supply.replace(cell, worn);
    dispatch();
  };

  const leave = (owner: string): void => {
    const left = (runningOf.get(owner) ?? 1) - 1;
    if (left === 0) runningOf.delete(owner);
    else runningOf.set(owner, left);
  };

  const wearOf = (cell: Cell, { memoryBytes }: ExecutionRequest): string | undefined => {
    if (cell.runs >= runsMax) return "it has done its runs";
    return cell.rssBytes > rssBytesMax + memoryBytes ? `it holds ${cell.rssBytes} bytes` : undefined;
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
    (waiting.length < queueMax && waiting.lengthOf(owner) < ownerQueueMax) ||
    (supply.stats().idle > 0 && running.size < size && mayHaveTurn(owner));

  const supply = createCellSupply({ command, graceMs, readyTimeoutMs, count: size + spares, log, onChange });
  return {
    started: started.promise,
    execute: async (request, ask = askNobody) => {
      if (state !== "open") throw new SandboxUnavailableError(`the sandbox is ${state}`);
      if (supply.exhausted()) throw notStarting();
      const owner = ownerOf(request);
      if (budget.isSpent(owner)) throw new SandboxBudgetError(`programs may use ${ownerCpuMsPerMinute} ms of CPU time a minute`);
      if (!hasRoom(owner)) throw new SandboxBusyError(`${waiting.length} programs are waiting already`);
      const answer = Promise.withResolvers<ExecutionOutcome>();
      // The seed is chosen here so that it is known even of a program whose cell dies.
      waiting.push(owner, { request: { ...request, seed: request.seed ?? newSeed() }, ask, answer }, request.priority);
      dispatch();
      return answer.promise;
    },
    cancel: (id) => {
      const isIt = (entry: Entry) => entry.request.id === id;
      waiting.remove(isIt)?.answer.reject(new ProgramCancelledError("nobody waits for the program any more"));
      for (const [entry, cell] of running) if (isIt(entry)) cell.kill("nobody waits for its program any more");
    },
    stats: () => {
      const { alive, idle, startedEver, rssBytes } = supply.stats();
      const load = { busy: running.size, waiting: waiting.length, ...counts };
      return {
        starting: Math.max(0, alive - idle - running.size),
        idle,
        ...load,
        restarts: Math.max(0, startedEver - size - spares),
        rssBytes,
      };
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

function ownerOf({ owner = "" }: ExecutionRequest): string {
  return owner;
}

function rejectAll(entries: readonly Entry[], error: Error): void {
  for (const entry of entries) entry.answer.reject(error);
}

function notStarting(): SandboxUnavailableError {
  return new SandboxUnavailableError("the sandbox's cells do not start");
}

const askNobody: AskHost = () => Promise.reject(new Error("there is nobody to answer"));
