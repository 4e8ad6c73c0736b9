import type { QuickJSHandle } from "quickjs-emscripten-core";
import type { ExecutionStatus, GuestError } from "./execution.ts";
import type { Guest, GuestResult } from "./guest.ts";
import { decodeGuestError, decodeOutput, MarshalError, programFile } from "./marshal.ts";

/** A program that did not succeed, for a reason that leaves the engine in order. */
export class ProgramStopped extends Error {
  override readonly name = "ProgramStopped";
  readonly status: ExecutionStatus;
  readonly guestError: GuestError;
  constructor(status: ExecutionStatus, guestError: GuestError) {
    super(guestError.message);
    this.status = status;
    this.guestError = guestError;
  }
}

/** Numbers QuickJS gives its ways to evaluate; the binding's options cannot say the second. */
const evalFlags = { script: 0, asyncScript: 1 << 7, module: 1 } as const;
const compileOnly = 1 << 5;
export type ProgramKind = keyof typeof evalFlags;

export interface Program {
  readonly code: string;
  readonly kind: ProgramKind;
}

/** Jobs run between two looks at the clock: a program made of nothing but tiny jobs rarely reaches the interrupt handler. */
const jobsPerBatch = 64;

/** Runs a program to its end and returns its output. Throws ProgramStopped; anything else thrown means a broken engine. */
export async function runProgram(guest: Guest, { code, kind }: Program): Promise<unknown> {
  const evaluated = unwrap(guest, guest.context.evalCode(code, programFile, evalFlags[kind]));
  const completion = await settle(guest, evaluated);
  const value = await settle(guest, finish(guest, kind, completion));
  const output = await settle(guest, unwrap(guest, guest.call("chooseOutput", value)));
  return readOutput(guest, output);
}

/** Throws ProgramStopped with the SyntaxError when the code is no program. */
export function assertCompiles(guest: Guest, { code, kind }: Program): void {
  unwrap(guest, guest.context.evalCode(code, programFile, evalFlags[kind] | compileOnly));
}

/** Compiles without running, because a SyntaxError at run time could be the program's own, and running twice is no option. */
export function detectKind(guest: Guest, code: string): ProgramKind {
  if (!/\b(?:export|import|await)\b/.test(code)) return "script";
  // A script takes `await (…)` for a call of a function of that name, so it comes second.
  const candidates: ProgramKind[] = /\bawait\b/.test(code) ? ["asyncScript", "script"] : ["script"];
  // When none compiles, the error of what it most looks like is the one to tell, and is found by evaluating: a module can't be let go once it was only compiled.
  const likeliest = /\b(?:export|import)\b/.test(code) ? "module" : candidates[0];
  return candidates.find((kind) => compiles(guest, code, kind)) ?? likeliest ?? "script";
}

function compiles(guest: Guest, code: string, kind: ProgramKind): boolean {
  const result = guest.context.evalCode(code, programFile, evalFlags[kind] | compileOnly);
  result.dispose();
  return result.error === undefined;
}

function finish(guest: Guest, kind: ProgramKind, completion: QuickJSHandle): QuickJSHandle {
  switch (kind) {
    case "script":
      return completion;
    case "asyncScript":
      return unwrap(guest, guest.call("unwrapCompletion", completion));
    case "module":
      return unwrap(guest, guest.call("enterModule", completion));
    default:
      return kind satisfies never;
  }
}

/** Runs jobs until none is left and no answer of the host is to come, then takes the value out of `handle` if that is a promise. Thenables are left alone. */
async function settle(guest: Guest, handle: QuickJSHandle): Promise<QuickJSHandle> {
  runJobs(guest);
  const { calls, deadline } = guest.run();
  while (calls.pending()) {
    await calls.news(deadline.leftMs());
    guest.takeAnswers();
    runJobs(guest);
  }
  const state = guest.context.getPromiseState(handle);
  switch (state.type) {
    case "fulfilled":
      return state.value;
    case "rejected":
      throw stopped(guest, state.error);
    case "pending":
      throw new ProgramStopped("failed", {
        name: "UnsettledPromiseError",
        message: "the program waits for a promise that nothing is left to settle",
      });
    default:
      return state satisfies never;
  }
}

function runJobs(guest: Guest): void {
  while (guest.runtime.hasPendingJob()) {
    assertInTime(guest);
    const result = guest.runtime.executePendingJobs(jobsPerBatch);
    if (result.error) throw stopped(guest, result.error);
  }
  assertInTime(guest);
}

function readOutput(guest: Guest, output: QuickJSHandle): unknown {
  const answer = unwrap(guest, guest.call("encodeOutput", output));
  assertInTime(guest);
  const text = guest.context.getString(answer);
  try {
    return decodeOutput(text);
  } catch (error) {
    if (!(error instanceof MarshalError)) throw error;
    throw new ProgramStopped("failed", { name: "OutputError", message: error.message });
  }
}

function unwrap(guest: Guest, result: GuestResult): QuickJSHandle {
  if (result.error) throw stopped(guest, result.error);
  // The binding allocates a few bytes for every handle, and does not notice when it got none.
  if (result.value.value === 0) throw outOfMemory();
  return result.value;
}

function assertInTime(guest: Guest): void {
  if (guest.run().deadline.expired()) throw outOfTime();
}

export function outOfTime(): ProgramStopped {
  return new ProgramStopped("timeout", { name: "TimeoutError", message: "the program was stopped at its time limit" });
}

export function outOfMemory(): ProgramStopped {
  return new ProgramStopped("out_of_memory", { name: "OutOfMemoryError", message: "the program used up its memory limit" });
}

/** Says why the guest threw. What the host saw itself (deadline, refused growth) outranks what the error claims to be. */
function stopped(guest: Guest, error: QuickJSHandle): ProgramStopped {
  if (guest.run().deadline.expired()) return outOfTime();
  const description = guest.call("describeError", error);
  const answer = description.error ?? description.value;
  if (guest.run().deadline.expired()) return outOfTime();
  const described = description.error ? undefined : describe(guest, answer);
  if (described === undefined || isNull(guest, error)) {
    if (guest.takeRefusal()) return outOfMemory();
    return new ProgramStopped("failed", described ?? { name: "Error", message: "the program threw something unreadable" });
  }
  const claimsMemory = described.name === "InternalError" && described.message === "out of memory";
  return claimsMemory ? outOfMemory() : new ProgramStopped("failed", described);
}

function describe(guest: Guest, answer: QuickJSHandle): GuestError | undefined {
  try {
    return decodeGuestError(guest.context.getString(answer));
  } catch (error) {
    if (error instanceof MarshalError) return undefined;
    throw error;
  }
}

/** Out of memory, QuickJS may not even manage to make an error, and throws null. */
function isNull(guest: Guest, error: QuickJSHandle): boolean {
  return guest.context.sameValue(error, guest.context.null);
}
