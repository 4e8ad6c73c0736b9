import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from "quickjs-emscripten-core";
import { createDeadline } from "./deadline.ts";
import { createHostLog, type GuestRun } from "./host-api.ts";
import { fixedLimits } from "./limits.ts";
import { createLogCapture } from "./log-capture.ts";
import prelude from "./prelude.guest.js" with { type: "text" };
import { openQuickJsModule } from "./quickjs-module.ts";
import { assertMemoryLayout, takeSnapshot } from "./snapshot.ts";

/** What the binding answers: a handle under `value`, or the one of what was thrown under `error`. */
export type GuestResult = ReturnType<QuickJSContext["callFunction"]>;

type PreludeFunction = "begin" | "enterModule" | "unwrapCompletion" | "chooseOutput" | "encodeOutput" | "describeError";

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
  call(name: PreludeFunction, ...values: QuickJSHandle[]): GuestResult;
  takeRefusal(): boolean;
  heapBytesPeak(): number;
  reset(): void;
}

export async function createGuest(memoryBytes: number): Promise<Guest> {
  const { quickjs, memory, takeRefusal } = await openQuickJsModule(memoryBytes);
  assertMemoryLayout(memory);
  let run: GuestRun = { deadline: createDeadline(Number.POSITIVE_INFINITY), logs: createLogCapture(), hostCalls: 0 };
  const runtime = quickjs.newRuntime({
    interruptHandler: () => run.deadline.expired(),
    maxStackSizeBytes: fixedLimits.stackBytes,
  });
  const context = runtime.newContext();
  const functions = evaluatePrelude(
    context,
    createHostLog(context, () => run),
  );
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
      context.unwrapResult(call("begin", input, context.newString(seedStateText)));
    },
    call,
    takeRefusal,
    heapBytesPeak: snapshot.heapBytesPeak,
    reset: snapshot.restore,
  };
}

function evaluatePrelude(context: QuickJSContext, log: QuickJSHandle): Record<PreludeFunction, QuickJSHandle> {
  const setUp = context.unwrapResult(context.evalCode(prelude, "sandbox.js", { type: "global", strip: true }));
  const limits = context.newString(JSON.stringify(fixedLimits));
  const functions = context.unwrapResult(context.callFunction(setUp, context.undefined, log, limits));
  const read = (name: PreludeFunction): QuickJSHandle => context.getProp(functions, name);
  return {
    begin: read("begin"),
    enterModule: read("enterModule"),
    unwrapCompletion: read("unwrapCompletion"),
    chooseOutput: read("chooseOutput"),
    encodeOutput: read("encodeOutput"),
    describeError: read("describeError"),
  };
}
