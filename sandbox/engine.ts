import { createDeadline } from "./deadline.ts";
import type { ExecutionOutcome, ExecutionRequest, Receipt } from "./execution.ts";
import { createGuest, type Guest } from "./guest.ts";
import type { GuestRun } from "./host-api.ts";
import { defaultLimits, fixedLimits, wasmPagesFor } from "./limits.ts";
import { createLogCapture } from "./log-capture.ts";
import { assertInputSize, MarshalError } from "./marshal.ts";
import { outOfMemory, outOfTime, ProgramStopped, runProgram } from "./program.ts";
import { engineBuild } from "./quickjs-module.ts";
import { newSeed, seedStateText } from "./seed.ts";

export interface ExecutionReport {
  readonly outcome: ExecutionOutcome;
  /** Set, with the reason, when the program broke the engine: the process that ran it should be replaced. */
  readonly spoiled?: string;
}

export interface Engine {
  /** One program at a time. Never rejects for what a program does; inside some built-ins the deadline goes unnoticed. */
  execute(request: ExecutionRequest): Promise<ExecutionReport>;
  /** Does ahead what the next program of default size would have to wait for. */
  prepare(): Promise<void>;
}

type Conclusion = Pick<ExecutionOutcome, "status" | "output" | "error">;

/** Programs that want another memory size than the default get an instance of their own; the last such one is kept. */
export function createEngine(): Engine {
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
      if (tooLarge) return { outcome: refuse(request, tooLarge) };
      const guest = await guestFor(request.memoryBytes);
      const report = execute(guest, request);
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
  const receipt: Receipt = { ...spent, seed: request.seed ?? newSeed(), engine: engineBuild };
  return { status: "failed", error: { name: "InputError", message: error.message }, logs: [], receipt };
}

function execute(guest: Guest, request: ExecutionRequest): ExecutionReport {
  const seed = request.seed ?? newSeed();
  const cpuBefore = process.cpuUsage();
  const run: GuestRun = { deadline: createDeadline(request.timeoutMs), logs: createLogCapture(), hostCalls: 0 };
  const { conclusion, spoiled } = conclude(guest, () => {
    guest.begin(run, request.inputText, seedStateText(seed));
    return runProgram(guest, request.code);
  });
  const wallMs = run.deadline.elapsedMs();
  const cpu = process.cpuUsage(cpuBefore);
  const receipt: Receipt = {
    wallMs,
    cpuMs: (cpu.user + cpu.system) / 1_000,
    memoryBytesPeak: guest.heapBytesPeak(),
    hostCalls: run.hostCalls,
    seed,
    engine: engineBuild,
  };
  const outcome: ExecutionOutcome = { ...conclusion, logs: run.logs.entries(), receipt };
  return spoiled === undefined ? { outcome } : { outcome, spoiled };
}

function conclude(guest: Guest, body: () => unknown): { conclusion: Conclusion; spoiled?: string } {
  guest.takeRefusal();
  try {
    const output = body();
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
