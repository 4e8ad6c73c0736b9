import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";
import type { Deadline } from "./deadline.ts";
import type { LogCapture } from "./log-capture.ts";

/** What the host keeps of the one program that runs. */
export interface GuestRun {
  readonly deadline: Deadline;
  readonly logs: LogCapture;
  hostCalls: number;
}

/**
 * All that a guest can reach of its host: functions handed to the prelude, which never hands them on to the program.
 * They are made once per instance, before the first program, and ask `currentRun` on whose behalf they are called.
 */
export function createHostLog(context: QuickJSContext, currentRun: () => GuestRun): QuickJSHandle {
  return context.newFunction("log", (level, message) => {
    const run = currentRun();
    run.hostCalls += 1;
    const text = readJsonText(context, message);
    return run.logs.add(context.getNumber(level), text, run.deadline.elapsedMs()) ? context.true : context.false;
  });
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
