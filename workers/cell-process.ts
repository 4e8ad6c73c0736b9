import { type CellCommand, type CellMessage, parseCellMessage } from "../sandbox/cell-messages.ts";
import type { AskHost, ExecutionOutcome, ExecutionRequest, GuestLog, HostAnswer } from "../sandbox/execution.ts";
import { fixedLimits } from "../sandbox/limits.ts";
import { readLogTrail } from "../sandbox/log-trail.ts";
import { makeCellFolder, removeCellFolder } from "./cell-folder.ts";
import { createPriorities } from "./cell-priority.ts";

/** What came of one execution in a cell, and whether the cell may be used again. */
export interface CellAnswer {
  readonly outcome: ExecutionOutcome;
  /** What the process has used for it; in a deterministic run the receipt tells something else. */
  readonly cpuMs: number;
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
  /** Memory of its process after its last program. */
  readonly rssBytes: number;
  /** Never rejects: a cell that dies or has to be killed answers with status "killed". Its request must carry a seed. */
  run(request: ExecutionRequest, ask: AskHost): Promise<CellAnswer>;
  kill(reason: string): void;
}

export interface CellOptions {
  /** The program and arguments that end up in `runCell()`. */
  readonly command: readonly string[];
  /** How long after its time limit a program may still answer before its cell is killed. */
  readonly graceMs: number;
  readonly readyTimeoutMs: number;
}

/** How long a cell may load what a program needs of it, which it does once. */
const loadingMsMax = 5_000;
/** A program that takes longer than this lets the others go first. */
const longMs = 20;

/** Spawns a cell with an environment that says no more than UTC, an empty working folder of its own and lowered priority. */
export function startCell({ command, graceMs, readyTimeoutMs }: CellOptions): Cell {
  const folder = makeCellFolder();
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<string>();
  ready.promise.catch(() => undefined);
  let current: Run | undefined;
  let killedFor: string | undefined;
  let cpuMsTotal = 0;
  let rssBytes = 0;
  let runs = 0;

  const finish = (answer: CellAnswer): void => {
    const run = current;
    current = undefined;
    clearTimeout(run?.timer);
    run?.slowdown?.();
    run?.resolve(answer);
  };
  const receive = (message: CellMessage | undefined): void => {
    if (message?.kind === "ready") ready.resolve();
    else if (message === undefined || message.id !== current?.request.id) kill("it sent something that is no answer");
    else receiveOf(current, message);
  };
  const receiveOf = (run: Run, message: Exclude<CellMessage, { kind: "ready" }>): void => {
    switch (message.kind) {
      case "call":
        void answerCall(run, message);
        break;
      case "loading":
        limit(run, loadingMsMax);
        break;
      case "loaded":
        limit(run, run.request.timeoutMs + graceMs);
        break;
      case "outcome":
        finishWith(message);
        break;
      default:
        message satisfies never;
    }
  };
  const finishWith = (message: Extract<CellMessage, { kind: "outcome" }>): void => {
    const { outcome, spoiled } = message;
    const cpuMs = message.cpuMsTotal - cpuMsTotal;
    ({ cpuMsTotal, rssBytes } = message);
    finish(spoiled === undefined ? { outcome, cpuMs, reusable: true } : { outcome, cpuMs, reusable: false, reason: spoiled });
  };
  const limit = (run: Run, afterMs: number): void => {
    clearTimeout(run.timer);
    run.timer = setTimeout(() => kill("it did not stop at its time limit"), afterMs);
  };
  const answerCall = async (run: Run, { callId, call }: Extract<CellMessage, { kind: "call" }>): Promise<void> => {
    const answer = await run.ask(call).catch(hostFault);
    if (current === run) send(child, { kind: "answer", callId, answer }, kill);
  };
  const end = (reason: string, cpuMsAtEnd: number): void => {
    clearTimeout(readyTimer);
    const logs = current ? readLogTrail(folder) : [];
    removeCellFolder(folder);
    ready.reject(new Error(`a sandbox cell ended before it was ready: ${reason}`));
    const cpuMs = Math.max(0, cpuMsAtEnd - cpuMsTotal);
    if (current) finish({ outcome: killedOutcome(current, { reason, logs, cpuMs }), cpuMs, reusable: false, reason });
    exited.resolve(reason);
  };

  const child = spawnIn(folder, command, {
    ipc: (message) => receive(parseCellMessage(message)),
    onExit: (ended, exitCode) => {
      const cpuMs = Number(ended.resourceUsage()?.cpuTime.total ?? 0) / 1_000;
      end(killedFor ?? `it ended by itself (${ended.signalCode ?? `exit code ${exitCode}`})`, cpuMs);
    },
  });
  const priorities = createPriorities(child.pid);
  const kill = (reason: string): void => {
    killedFor ??= reason;
    child.kill("SIGKILL");
  };
  const readyTimer = setTimeout(() => kill(`it was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
  ready.promise.then(
    () => {
      clearTimeout(readyTimer);
      priorities.ready();
    },
    () => undefined,
  );

  return {
    pid: child.pid,
    ready: ready.promise,
    exited: exited.promise,
    get runs() {
      return runs;
    },
    get rssBytes() {
      return rssBytes;
    },
    run: (request, ask) => {
      runs += 1;
      const answer = Promise.withResolvers<CellAnswer>();
      current = { request, ask, timer: undefined, startedAt: performance.now(), resolve: answer.resolve };
      limit(current, request.timeoutMs + graceMs);
      current.slowdown = priorities.slowDownAfter(longMs);
      send(child, { kind: "execute", request }, kill);
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
    return Bun.spawn([...command], { cwd: folder, env: { TZ: "UTC" }, stdio, serialization: "json", ...handlers });
  } catch (error) {
    removeCellFolder(folder);
    throw error;
  }
}

interface Run {
  readonly request: ExecutionRequest;
  readonly ask: AskHost;
  readonly startedAt: number;
  readonly resolve: (answer: CellAnswer) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends what the program's length did to its cell's priority. */
  slowdown?: () => void;
}

function send(child: Bun.Subprocess, command: CellCommand, kill: (reason: string) => void): void {
  try {
    child.send(command);
  } catch {
    kill("its channel is closed");
  }
}

function hostFault(): HostAnswer {
  return { ok: false, text: JSON.stringify({ name: "HostError", message: "the host could not answer" }) };
}

/** The memory a killed program used is not known. */
function killedOutcome(
  { request, startedAt }: Run,
  { reason, logs, cpuMs }: { readonly reason: string; readonly logs: readonly GuestLog[]; readonly cpuMs: number },
): ExecutionOutcome {
  const { timeoutMs, memoryBytes, seed = "", deterministic = false } = request;
  return {
    status: "killed",
    error: { name: "KilledError", message: `the program was ended with its cell: ${reason}` },
    logs,
    receipt: {
      wallMs: performance.now() - startedAt,
      cpuMs,
      memoryBytesPeak: 0,
      hostCalls: 0,
      seed,
      engine: "killed",
      deterministic,
      limits: { timeoutMs, memoryBytes, hostCallsMax: fixedLimits.hostCallsMax },
    },
  };
}
