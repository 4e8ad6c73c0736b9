import { createRealClock, createVirtualClock } from "./clock.ts";
import { cpuMs } from "./cpu-time.ts";
import { createDeadline } from "./deadline.ts";
import type { AskHost, ExecutionOutcome, ExecutionRequest, Receipt } from "./execution.ts";
import { createGuest, type Guest } from "./guest.ts";
import { createGuestCalls, refusal } from "./guest-calls.ts";
import type { GuestRun } from "./host-api.ts";
import { defaultLimits, fixedLimits, wasmPagesFor } from "./limits.ts";
import { createLogCapture, type OnLog } from "./log-capture.ts";
import { assertInputSize, MarshalError } from "./marshal.ts";
import { outOfMemory, outOfTime, ProgramStopped } from "./program.ts";
import { engineBuild } from "./quickjs-module.ts";
import { newSeed, seedStateText } from "./seed.ts";
import { checkSource, runSource } from "./source.ts";
import type { StripTypes } from "./type-stripping.ts";

/** One execution and what it is done with. */
interface Execution extends Pick<EngineOptions, "loadStripper"> {
  readonly guest: Guest;
  readonly request: ExecutionRequest;
  readonly ask: AskHost;
  readonly onLog: OnLog | undefined;
}

export interface ExecutionReport {
  readonly outcome: ExecutionOutcome;
  /** CPU time of this process since it began. */
  readonly cpuMsTotal: number;
  /** Set, with the reason, when the program broke the engine: the process that ran it should be replaced. */
  readonly spoiled?: string;
}

export interface EngineOptions {
  /** Loads what strips types; its time is not the program's. */
  readonly loadStripper: () => Promise<StripTypes>;
  /** Answers the uses of capabilities. */
  readonly ask?: (request: ExecutionRequest) => AskHost;
  /** Told of each line a program writes, while it runs. */
  readonly onLog?: OnLog;
}

export interface Engine {
  /** One program at a time. Never rejects for what a program does; inside some built-ins the deadline goes unnoticed. */
  execute(request: ExecutionRequest): Promise<ExecutionReport>;
  /** Does ahead what the next program of default size would have to wait for. */
  prepare(): Promise<void>;
}

type Conclusion = Pick<ExecutionOutcome, "status" | "output" | "error">;

/** Programs that want another memory size than the default get an instance of their own; the last such one is kept. */
export function createEngine({ loadStripper, ask = askNobody, onLog }: EngineOptions): Engine {
  const defaultPages = wasmPagesFor(defaultLimits.memoryBytes);
  const guests = new Map<number, Guest>();
  let abandoned = false;

  const guestFor = async (memoryBytes: number): Promise<Guest> => {
    const pages = wasmPagesFor(memoryBytes);
    const known = guests.get(pages);
    if (known !== undefined) return known;
    for (const kept of guests.keys()) if (kept !== defaultPages) guests.delete(kept);
    const guest = await createGuest(memoryBytes);
    guests.set(pages, guest);
    return guest;
  };

  return {
    prepare: async () => {
      // Measured: left to itself the collector keeps 40 MB of dropped instances around.
      if (abandoned) Bun.gc(true);
      abandoned = false;
      await guestFor(defaultLimits.memoryBytes);
    },
    execute: async (request) => {
      const tooLarge = refusalOf(request);
      if (tooLarge) return { outcome: refuse(request, tooLarge), cpuMsTotal: cpuMs() };
      const guest = await guestFor(request.memoryBytes);
      const report = await execute({ guest, request, loadStripper, ask: ask(request), onLog });
      // Memory never shrinks: an instance that grew large is left to the collector.
      const keep = report.spoiled === undefined && guest.heapBytesPeak() <= fixedLimits.heapBytesKept;
      if (keep) guest.reset();
      else guests.delete(wasmPagesFor(request.memoryBytes));
      abandoned ||= !keep;
      return report;
    },
  };
}

function refusalOf(request: ExecutionRequest): MarshalError | undefined {
  try {
    assertCodeSize(request.code);
    if (request.inputText !== undefined) assertInputSize(request.inputText);
    return undefined;
  } catch (error) {
    if (error instanceof MarshalError) return error;
    throw error;
  }
}

function assertCodeSize(code: string): void {
  if (Buffer.byteLength(code) <= fixedLimits.codeBytesMax) return;
  throw new MarshalError(`code is larger than ${fixedLimits.codeBytesMax} bytes`);
}

function refuse(request: ExecutionRequest, error: MarshalError): ExecutionOutcome {
  const spent = { wallMs: 0, cpuMs: 0, memoryBytesPeak: 0, hostCalls: 0 };
  const receipt: Receipt = { ...spent, ...termsOf(request, request.seed ?? newSeed()) };
  return { status: "failed", error: { name: "InputError", message: error.message }, logs: [], receipt };
}

/** The part of a receipt that is known before the program runs. */
function termsOf(request: ExecutionRequest, seed: string) {
  const { timeoutMs, memoryBytes, deterministic = false } = request;
  return { seed, engine: engineBuild, deterministic, limits: { timeoutMs, memoryBytes, hostCallsMax: fixedLimits.hostCallsMax } };
}

async function execute(execution: Execution): Promise<ExecutionReport> {
  const { guest, request, ask, onLog } = execution;
  const { deterministic = false, capabilities = [] } = request;
  const seed = request.seed ?? newSeed();
  const cpuMsBefore = cpuMs();
  const run: GuestRun = {
    deadline: createDeadline(request.timeoutMs),
    clock: deterministic ? createVirtualClock() : createRealClock(),
    logs: createLogCapture(onLog),
    calls: createGuestCalls(ask),
    granted: capabilities,
    hostCalls: 0,
    foreignCpuMs: 0,
  };
  const { conclusion, spoiled } = await conclude(guest, () => {
    guest.begin(run, request.inputText, seedStateText(seed));
    return request.checkOnly ? checkSource(execution) : runSource(execution);
  });
  const wallMs = run.clock.elapsedMs();
  const cpuMsTotal = cpuMs();
  const receipt: Receipt = {
    wallMs,
    cpuMs: deterministic ? wallMs : cpuMsTotal - cpuMsBefore - run.foreignCpuMs,
    memoryBytesPeak: guest.heapBytesPeak(),
    hostCalls: run.hostCalls,
    ...termsOf(request, seed),
  };
  const outcome: ExecutionOutcome = { ...conclusion, logs: run.logs.entries(), receipt, ...debugOf(request, run) };
  return spoiled === undefined ? { outcome, cpuMsTotal } : { outcome, cpuMsTotal, spoiled };
}

function debugOf({ debug }: ExecutionRequest, { recorder }: GuestRun): Pick<ExecutionOutcome, "debug"> {
  if (!debug?.trace && !debug?.profile) return {};
  return { debug: recorder?.report() ?? { unavailable: "the code did not compile, is larger than 128 KiB, or can't be taken apart" } };
}

async function conclude(guest: Guest, body: () => Promise<unknown>): Promise<{ conclusion: Conclusion; spoiled?: string }> {
  guest.takeRefusal();
  try {
    const output = await body();
    return { conclusion: output === undefined ? { status: "succeeded" } : { status: "succeeded", output } };
  } catch (error) {
    if (error instanceof ProgramStopped) return { conclusion: stoppedConclusion(error) };
    const spoiled = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { conclusion: brokenConclusion(guest, error), spoiled };
  }
}

function stoppedConclusion({ status, guestError }: ProgramStopped): Conclusion {
  return { status, error: guestError };
}

/** A host exception says little about the program, so what the host knows of the limits comes first. */
function brokenConclusion(guest: Guest, error: unknown): Conclusion {
  if (guest.takeRefusal()) return stoppedConclusion(outOfMemory());
  if (guest.run().deadline.expired()) return stoppedConclusion(outOfTime());
  if (error instanceof RangeError) {
    return { status: "failed", error: { name: "RangeError", message: "the program nests more deeply than the engine can follow" } };
  }
  return { status: "failed", error: { name: "EngineError", message: "the program broke the engine, which was discarded" } };
}

const askNobody = () => async () => refusal("HostError", "there is nobody to answer");
