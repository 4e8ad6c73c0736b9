import { runInThisContext } from "node:vm";
import { run } from "./programs.ts";

/** Runs the expression in a guest and in Bun, and answers what each made of it, as text. */
export async function evaluateInBoth(expression: string): Promise<{ guest: unknown; bun: unknown }> {
  const code = `(${show.toString()})(() => (${expression}))`;
  return { guest: await evaluateInGuest(code), bun: runInThisContext(code) };
}

export async function showInGuest(expression: string): Promise<unknown> {
  return evaluateInGuest(`(${show.toString()})(() => (${expression}))`);
}

async function evaluateInGuest(code: string): Promise<unknown> {
  const outcome = await run(code);
  if (outcome.status !== "succeeded") throw new Error(`the program failed: ${JSON.stringify(outcome.error)}`);
  return outcome.output;
}

/** Says all that matters of a value, kinds and shared references included. It runs in both worlds, so it uses nothing around it. */
function show(evaluate: () => unknown): string {
  const seen: object[] = [];
  const list = (values: Iterable<unknown>): string => `[${Array.from(values, text).join(", ")}]`;
  const textOfView = (view: ArrayBufferView): string => {
    const bytes = Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return `${view.constructor.name}(${bytes} at ${view.byteOffset} of ${view.buffer.byteLength}, #${seen.indexOf(view.buffer)})`;
  };
  const textOfBuffer = (buffer: ArrayBuffer): string =>
    `ArrayBuffer(${buffer.detached ? "detached" : new Uint8Array(buffer)}, ${buffer.resizable ? buffer.maxByteLength : "fixed"})`;
  const textOfObject = (value: object): string => {
    if (Error.isError(value)) return `${value.constructor.name}(${value.name}: ${value.message}; ${Object.keys(value)})`;
    if (ArrayBuffer.isView(value)) return textOfView(value);
    if (value instanceof ArrayBuffer) return textOfBuffer(value);
    if (value instanceof Map) return `Map${list([...value].flat())}`;
    if (value instanceof Set) return `Set${list(value)}`;
    if (value instanceof Date) return `Date(${value.getTime()})`;
    if (value instanceof RegExp) return `RegExp(${String(value)}, ${value.lastIndex})`;
    if (/^(?:String|Number|Boolean|BigInt)$/.test(value.constructor?.name)) return `${value.constructor.name}(${String(value)})`;
    if (value instanceof URL || value instanceof URLSearchParams) return `${value.constructor.name}(${value})`;
    const members = Object.keys(value).map((key) => `${JSON.stringify(key)}: ${text(Reflect.get(value, key))}`);
    const plain = `{${members.join(", ")}}`;
    return Array.isArray(value) ? `Array(${value.length})${plain}` : plain;
  };
  const text = (value: unknown): string => {
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "function") return `function ${value.name}/${value.length}`;
    if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
    const index = seen.indexOf(value);
    if (index >= 0) return `#${index}`;
    seen.push(value);
    return textOfObject(value);
  };
  try {
    return text(evaluate());
  } catch (error) {
    return `throws ${error instanceof Error ? error.name : String(error)}`;
  }
}
