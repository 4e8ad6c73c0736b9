import { constants, setPriority } from "node:os";
import { type CellMessage, parseCellMessage } from "../sandbox/cell-messages.ts";
import type { ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { makeCellFolder, removeCellFolder } from "./cell-folder.ts";

/** What came of one execution in a cell, and whether the cell may be used again. */
export interface CellAnswer {
  readonly outcome: ExecutionOutcome;
  readonly reusable: boolean;
  readonly reason?: string;
}

/** One child process that runs one program at a time. */
export interface Cell {
  readonly pid: number;
  /** Resolves when it can take a program; rejects when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone, with the reason. */
  readonly exited: Promise<string>;
  readonly runs: number;
  /** Never rejects: a cell that dies or has to be killed answers with status "killed". Its request must carry a seed. */
  run(request: ExecutionRequest): Promise<CellAnswer>;
  kill(reason: string): void;
}

export interface CellOptions {
  /** The program and arguments that end up in `runCell()`. */
  readonly command: readonly string[];
  /** How long after its time limit a program may still answer before its cell is killed. */
  readonly graceMs: number;
  readonly readyTimeoutMs: number;
}

/** Spawns a cell with an empty environment, an empty working folder of its own and lowered priority. */
export function startCell({ command, graceMs, readyTimeoutMs }: CellOptions): Cell {
  const folder = makeCellFolder();
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<string>();
  ready.promise.catch(() => undefined);
  let current: Run | undefined;
  let killedFor: string | undefined;
  let cpuMsTotal = 0;
  let runs = 0;

  const finish = (answer: CellAnswer): void => {
    const run = current;
    current = undefined;
    clearTimeout(run?.timer);
    run?.resolve(answer);
  };
  const receive = (message: CellMessage | undefined): void => {
    if (message?.kind === "ready") {
      ready.resolve();
      return;
    }
    if (message === undefined || message.id !== current?.request.id) {
      kill("it sent something that is no answer");
      return;
    }
    cpuMsTotal = message.cpuMsTotal;
    const { outcome, spoiled } = message;
    finish(spoiled === undefined ? { outcome, reusable: true } : { outcome, reusable: false, reason: spoiled });
  };
  const end = (reason: string, cpuMsAtEnd: number): void => {
    clearTimeout(readyTimer);
    removeCellFolder(folder);
    ready.reject(new Error(`a sandbox cell ended before it was ready: ${reason}`));
    if (current) finish({ outcome: killedOutcome(current, reason, cpuMsAtEnd - cpuMsTotal), reusable: false, reason });
    exited.resolve(reason);
  };

  const child = spawnIn(folder, command, {
    ipc: (message) => receive(parseCellMessage(message)),
    onExit: (ended, exitCode) => {
      const cpuMs = Number(ended.resourceUsage()?.cpuTime.total ?? 0) / 1_000;
      end(killedFor ?? `it ended by itself (${ended.signalCode ?? `exit code ${exitCode}`})`, cpuMs);
    },
  });
  const kill = (reason: string): void => {
    killedFor ??= reason;
    child.kill("SIGKILL");
  };
  const readyTimer = setTimeout(() => kill(`it was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
  void ready.promise.then(() => clearTimeout(readyTimer)).catch(() => undefined);
  lowerPriority(child.pid);

  return {
    pid: child.pid,
    ready: ready.promise,
    exited: exited.promise,
    get runs() {
      return runs;
    },
    run: (request) => {
      runs += 1;
      const answer = Promise.withResolvers<CellAnswer>();
      const timer = setTimeout(() => kill("it did not stop at its time limit"), request.timeoutMs + graceMs);
      current = { request, timer, startedAt: performance.now(), resolve: answer.resolve };
      sendExecute(child, request, kill);
      return answer.promise;
    },
    kill,
  };
}

interface ChildHandlers {
  readonly ipc: (message: unknown) => void;
  readonly onExit: (child: Bun.Subprocess, exitCode: number | null) => void;
}

function spawnIn(folder: string, command: readonly string[], handlers: ChildHandlers): Bun.Subprocess {
  try {
    const stdio: ["ignore", "ignore", "ignore"] = ["ignore", "ignore", "ignore"];
    return Bun.spawn([...command], { cwd: folder, env: {}, stdio, serialization: "advanced", ...handlers });
  } catch (error) {
    removeCellFolder(folder);
    throw error;
  }
}

interface Run {
  readonly request: ExecutionRequest;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly startedAt: number;
  readonly resolve: (answer: CellAnswer) => void;
}

function sendExecute(child: Bun.Subprocess, request: ExecutionRequest, kill: (reason: string) => void): void {
  try {
    child.send({ kind: "execute", request });
  } catch {
    kill("its channel is closed");
  }
}

/** The memory a killed program used is not known; its logs died with the cell. */
function killedOutcome(run: Run, reason: string, cpuMs: number): ExecutionOutcome {
  return {
    status: "killed",
    error: { name: "KilledError", message: `the program was ended with its cell: ${reason}` },
    logs: [],
    receipt: {
      wallMs: performance.now() - run.startedAt,
      cpuMs: Math.max(0, cpuMs),
      memoryBytesPeak: 0,
      hostCalls: 0,
      seed: run.request.seed ?? "",
      engine: "killed",
    },
  };
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It may be gone already, or the system may not allow it; neither makes the cell less safe.
  }
}
