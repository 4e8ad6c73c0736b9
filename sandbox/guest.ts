import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from "quickjs-emscripten-core";
import { createRealClock } from "./clock.ts";
import { createDeadline } from "./deadline.ts";
import { createGuestCalls, refusal } from "./guest-calls.ts";
import { evaluateScripts, type PreludeFunction } from "./guest-scripts.ts";
import type { GuestRun } from "./host-api.ts";
import { fixedLimits } from "./limits.ts";
import { createLogCapture } from "./log-capture.ts";
import { openQuickJsModule } from "./quickjs-module.ts";
import { hooks, type Recorder } from "./recorder.ts";
import { assertMemoryLayout, takeSnapshot } from "./snapshot.ts";

/** UTF-8 of a UTF-16 unit, and the engine's copy of it. */
const bytesPerCharMax = 5;
const charsAlwaysFit = 4_096;

/** What the binding answers: a handle under `value`, or the one of what was thrown under `error`. */
export type GuestResult = ReturnType<QuickJSContext["callFunction"]>;

/**
 * A runtime and global object in an instance of their own, put back byte for byte between programs. That is as fresh as
 * a new runtime and ten times as fast, and it undoes what a program broke. So handles need not be released: a program's
 * are meaningless after `reset`, and those made before it live as long as the guest.
 */
export interface Guest {
  readonly runtime: QuickJSRuntime;
  readonly context: QuickJSContext;
  /** The program that runs, or ran last. */
  run(): GuestRun;
  /** Lays out what depends on the request. Throws when the guest has no room for its input. */
  begin(run: GuestRun, inputText: string | undefined, seedStateText: string): void;
  /** Tells what instrumented code does to the recorder. */
  watch(recorder: Recorder): void;
  /** Hands the program the answers that have come to its calls. */
  takeAnswers(): void;
  call(name: PreludeFunction, ...values: QuickJSHandle[]): GuestResult;
  takeRefusal(): boolean;
  heapBytesPeak(): number;
  reset(): void;
}

export async function createGuest(memoryBytes: number): Promise<Guest> {
  let run = noRun();
  const { quickjs, memory, takeRefusal } = await openQuickJsModule(memoryBytes, () => run.clock.nowMs());
  assertMemoryLayout(memory);
  const runtime = quickjs.newRuntime({
    interruptHandler: () => {
      run.clock.tick();
      return run.deadline.expired();
    },
    maxStackSizeBytes: fixedLimits.stackBytes,
  });
  const context = runtime.newContext();
  const functions = evaluateScripts(context, () => run);
  const snapshot = takeSnapshot(memory);

  const call = (name: PreludeFunction, ...values: QuickJSHandle[]): GuestResult =>
    context.callFunction(functions[name], context.undefined, values);

  return {
    runtime,
    context,
    run: () => run,
    begin: (next, inputText, seedStateText) => {
      run = next;
      const input = inputText === undefined ? context.undefined : context.newString(inputText);
      const granted = context.newString(JSON.stringify(next.granted));
      context.unwrapResult(call("begin", input, context.newString(seedStateText), granted));
    },
    watch: (recorder) => {
      run.recorder = recorder;
      context.unwrapResult(call("watch", context.newString(JSON.stringify(hooks))));
    },
    takeAnswers: () => {
      for (let next = run.calls.take(); next; next = run.calls.take()) {
        const { ok, text } = next.answer;
        if (text.length > charsAlwaysFit) context.unwrapResult(call("makeRoom", context.newNumber(text.length * bytesPerCharMax)));
        call("settleCall", context.newNumber(next.id), ok ? context.true : context.false, context.newString(text));
      }
    },
    call,
    takeRefusal,
    heapBytesPeak: snapshot.heapBytesPeak,
    reset: snapshot.restore,
  };
}

/** Between programs nothing runs that would ask. */
function noRun(): GuestRun {
  return {
    deadline: createDeadline(Number.POSITIVE_INFINITY),
    clock: createRealClock(),
    logs: createLogCapture(),
    calls: createGuestCalls(async () => refusal("HostError", "no program runs")),
    granted: [],
    hostCalls: 0,
    foreignCpuMs: 0,
  };
}
