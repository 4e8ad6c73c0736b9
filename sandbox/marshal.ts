import type { GuestError } from "./execution.ts";
import { fixedLimits } from "./limits.ts";

/** The name the guest's code has in stack traces. */
export const programFile = "program.js";

const outputTooLarge = `output is larger than ${fixedLimits.outputCharsMax} characters of JSON`;

/** A value that cannot cross the border between host and guest; the message names where it is. */
export class MarshalError extends Error {
  override readonly name = "MarshalError";
}

/** Throws MarshalError for an input that is too large. Whether it is JSON, the guest finds out. */
export function assertInputSize(inputText: string): void {
  if (Buffer.byteLength(inputText) > fixedLimits.inputBytesMax)
    throw new MarshalError(`input is larger than ${fixedLimits.inputBytesMax} bytes`);
}

/**
 * Reads what the guest's `encodeOutput` answered: empty for no output, `=` and JSON, or `!` and a refusal.
 * Throws MarshalError for a refusal, and for text the encoder cannot have written.
 */
export function decodeOutput(answer: string): unknown {
  const body = answer.slice(1);
  switch (answer[0]) {
    case undefined:
      return undefined;
    case "=":
      return readable(() => parseOutput(body));
    case "!":
      throw new MarshalError(readable(() => refusalMessage(parseText(body))));
    default:
      throw new MarshalError("output is unreadable");
  }
}

/** The encoder writes nothing that can't be read; what claims to be its answer might. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MarshalError) throw error;
    throw new MarshalError("output is unreadable");
  }
}

function parseOutput(text: string): unknown {
  if (text.length > fixedLimits.outputCharsMax) throw new MarshalError(outputTooLarge);
  const output = parseText(text);
  // The encoder refuses this key; should it ever fail to, no merge further on may turn it into a prototype.
  if (text.includes("__proto__") && hasProtoKey(output)) throw new MarshalError("output has a __proto__ key");
  return output;
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProtoKey);
}

function refusalMessage(refusal: unknown): string {
  const { reason, path } = readRefusal(refusal);
  const where = `output${path.map(pathStep).join("")}`;
  switch (reason) {
    case "too large":
      return `${outputTooLarge} (at ${where})`;
    case "nested too deeply":
      return `${where} is nested more than ${fixedLimits.outputDepthMax} levels deep`;
    case "a cycle":
      return `${where} contains itself`;
    case "a __proto__ key":
      return `${where} has a __proto__ key`;
    default:
      return `${where} is ${reason}, which JSON cannot carry`;
  }
}

function readRefusal(refusal: unknown): { reason: string; path: unknown[] } {
  if (typeof refusal !== "object" || refusal === null) return { reason: "unreadable", path: [] };
  const reason = "reason" in refusal && typeof refusal.reason === "string" ? refusal.reason : "unreadable";
  const path = "path" in refusal && Array.isArray(refusal.path) ? refusal.path : [];
  // The first step is the empty key of the output itself.
  return { reason, path: path.slice(1) };
}

function pathStep(key: unknown): string {
  if (typeof key === "number") return `[${key}]`;
  const name = String(key);
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MarshalError("output is unreadable");
  }
}

/** Reads what the guest's `describeError` answered, with the first place in the program its stack names. */
export function decodeGuestError(answer: string): GuestError {
  const { name, message, stack } = readDescription(answer);
  const place = new RegExp(`${programFile.replace(".", "\\.")}:(\\d{1,7})(?::(\\d{1,7}))?`).exec(stack);
  const visible = visibleStack(stack);
  const error = { name, message, ...(visible === "" ? {} : { stack: visible }) };
  if (place === null) return error;
  const line = Number(place[1]);
  return place[2] === undefined ? { ...error, line } : { ...error, line, column: Number(place[2]) };
}

/** Without the frames of the prelude, which are none of the program's. */
function visibleStack(stack: string): string {
  const lines = stack.split("\n").filter((line) => line !== "" && !line.includes("sandbox.js"));
  return lines.join("\n");
}

function readDescription(answer: string): { name: string; message: string; stack: string } {
  const parsed: unknown = parseText(answer);
  const read = (key: string): string => {
    const text: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, key) : undefined;
    return typeof text === "string" ? text : "";
  };
  return { name: read("name"), message: read("message"), stack: read("stack") };
}
