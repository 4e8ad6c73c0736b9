import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";
import type { GuestClock } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { type CapabilityName, capabilityNames } from "./execution.ts";
import type { GuestCalls } from "./guest-calls.ts";
import type { LogCapture } from "./log-capture.ts";
import type { Recorder } from "./recorder.ts";

/** What the host keeps of the one program that runs. */
export interface GuestRun {
  readonly deadline: Deadline;
  readonly clock: GuestClock;
  readonly logs: LogCapture;
  readonly calls: GuestCalls;
  readonly granted: readonly CapabilityName[];
  /** Log lines and uses of capabilities. */
  hostCalls: number;
  /** CPU time that was spent meanwhile on something that is not the program's. */
  foreignCpuMs: number;
  /** Watches an instrumented program. */
  recorder?: Recorder;
}

/** All that a guest can reach of its host. */
export interface HostApi {
  readonly log: QuickJSHandle;
  readonly ask: QuickJSHandle;
  /** What instrumented code calls, each with an index. */
  readonly statement: QuickJSHandle;
  readonly enter: QuickJSHandle;
  readonly leave: QuickJSHandle;
}

/**
 * Functions handed to the prelude, which never hands them on to the program. They are made once per instance, before the first program, and ask
 * `currentRun` on whose behalf they are called.
 */
export function createHostApi(context: QuickJSContext, currentRun: () => GuestRun): HostApi {
  const log = context.newFunction("log", (level, message) => {
    const run = currentRun();
    run.hostCalls += 1;
    const text = readJsonText(context, message);
    return run.logs.add(context.getNumber(level), text, run.clock.elapsedMs()) ? context.true : context.false;
  });

  const ask = context.newFunction("ask", (capability, method, argument) => {
    const run = currentRun();
    run.hostCalls += 1;
    const name = capabilityNames.find((known) => known === context.getString(capability));
    if (name === undefined || !run.granted.includes(name)) return context.newNumber(0);
    return context.newNumber(run.calls.start(name, context.getString(method), context.getString(argument)));
  });

  const hook = (name: "statement" | "enter" | "leave"): QuickJSHandle =>
    context.newFunction(name, (index) => currentRun().recorder?.[name](context.getNumber(index)));

  return { log, ask, statement: hook("statement"), enter: hook("enter"), leave: hook("leave") };
}

/** Strings cross as JSON, because QuickJS hands its host C strings, which end at the first NUL. */
function readJsonText(context: QuickJSContext, handle: QuickJSHandle): string {
  try {
    const text: unknown = JSON.parse(context.getString(handle));
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}
