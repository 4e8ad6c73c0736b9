import type { QuickJSHandle } from "quickjs-emscripten-core";
import { type Instrumented, type InstrumentOptions, instrument } from "../../sandbox/instrument.ts";
import { defaultLimits, fixedLimits } from "../../sandbox/limits.ts";
import { openQuickJsModule } from "../../sandbox/quickjs-module.ts";
import { assertMemoryLayout, takeSnapshot } from "../../sandbox/snapshot.ts";

export type Kind = InstrumentOptions["kind"];
type Modes = Pick<InstrumentOptions, "trace" | "profile">;

export const hooks = { statement: "$kS0", enter: "$kE0", leave: "$kL0" } as const;
const both: Modes = { trace: true, profile: true };
/** As in sandbox/program.ts. */
const evalFlags = { script: 0, asyncScript: 1 << 7, module: 1 } as const;

export interface Ran {
  /** What the program came to, as text: its completion value or exports, or what it threw. */
  readonly result: string;
  /** Of what it threw, with columns of the source. */
  readonly stack: readonly string[];
  /** Indices, in the order of the calls; `leave` as its index's complement. */
  readonly statements: readonly number[];
  readonly calls: readonly number[];
}

const describeSource = `(function describe(value, depth = 0) {
  if (typeof value === "function") return "function " + value.name + "/" + value.length;
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value !== "object") return Object.is(value, -0) ? "-0" : String(value);
  if (Error.isError(value)) return "error " + value.name + ": " + value.message;
  if (depth > 4) return "…";
  const members = Reflect.ownKeys(value).filter((key) => key !== "length").map((key) => {
    const { get, value: held } = Reflect.getOwnPropertyDescriptor(value, key);
    return String(key) + "=" + (get ? "getter" : describe(held, depth + 1));
  });
  return Object.prototype.toString.call(value) + "{" + members.join(",") + "}";
})`;

let statements: number[] = [];
let calls: number[] = [];

const { quickjs, memory } = await openQuickJsModule(2 * defaultLimits.memoryBytes, Date.now);
assertMemoryLayout(memory);
const context = quickjs.newRuntime({ maxStackSizeBytes: fixedLimits.stackBytes }).newContext();
expose(hooks.statement, (index) => statements.push(index));
expose(hooks.enter, (index) => calls.push(index));
expose(hooks.leave, (index) => calls.push(~index));
const describe = context.unwrapResult(context.evalCode(describeSource));
// As in sandbox/guest.ts: put back after each program, so handles need not be released.
const snapshot = takeSnapshot(memory);

export function weave(code: string, kind: Kind = "script", modes: Modes = both): Instrumented {
  const woven = instrument(code, { kind, ...modes, hooks });
  if (woven === undefined) throw new Error(`not instrumented: ${code.slice(0, 200)}`);
  if (woven.code.split("\n").length !== code.split("\n").length) throw new Error(`other lines: ${woven.code}`);
  return woven;
}

/** Runs code in a fresh context. `columnOf` is asked where in the source a frame has its place. */
export function runCode(code: string, kind: Kind = "script", columnOf: Instrumented["columnOf"] = (_, column) => column): Ran {
  statements = [];
  calls = [];
  try {
    const { threw, value } = complete(code, kind);
    const text = context.unwrapResult(context.callFunction(describe, context.undefined, value));
    const result = (threw ? "throws " : "") + context.getString(text);
    return { result, stack: threw ? stackOf(value, columnOf) : [], statements, calls };
  } finally {
    snapshot.restore();
  }
}

export function runWoven(code: string, kind: Kind = "script", modes: Modes = both): Ran & { readonly woven: Instrumented } {
  const woven = weave(code, kind, modes);
  return { ...runCode(woven.code, kind, woven.columnOf), woven };
}

function expose(name: string, hook: (index: number) => void): void {
  const host = context.newFunction(name, (index) => {
    hook(context.getNumber(index));
  });
  context.defineProp(context.global, name, { value: host });
}

interface Ended {
  readonly threw: boolean;
  readonly value: QuickJSHandle;
}

function complete(code: string, kind: Kind): Ended {
  const evaluated = settle(context.evalCode(code, "program.js", evalFlags[kind]));
  if (evaluated.threw) return evaluated;
  if (kind === "asyncScript") return settle({ value: context.getProp(evaluated.value, "value") });
  if (kind === "module") {
    const entry = context.getProp(evaluated.value, "default");
    if (context.typeof(entry) === "function") return settle(context.callFunction(entry, context.undefined));
  }
  return evaluated;
}

function settle(result: { value?: QuickJSHandle; error?: QuickJSHandle | undefined }): Ended {
  if (result.error) return { threw: true, value: result.error };
  if (result.value === undefined) throw new Error("neither a value nor an error");
  const jobs = context.runtime.executePendingJobs(10_000);
  if (jobs.error) return { threw: true, value: jobs.error };
  const state = context.getPromiseState(result.value);
  if (state.type === "pending") return { threw: true, value: context.newString("pending") };
  return state.type === "fulfilled" ? { threw: false, value: state.value } : { threw: true, value: state.error };
}

/** The frames nearest the error that are in the program, by name and place. */
function stackOf(error: QuickJSHandle, columnOf: Instrumented["columnOf"]): string[] {
  const stack = context.getProp(error, "stack");
  const frames = (context.typeof(stack) === "string" ? context.getString(stack) : "").matchAll(/at (\S*) \(program\.js:(\d+):(\d+)\)/g);
  return Array.from(frames.take(20), ([, name, line, column]) => `${name} ${line}:${columnOf(Number(line), Number(column))}`);
}
