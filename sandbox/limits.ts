import { memoryLayout } from "./snapshot.ts";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const wasmPageBytes = 64 * kibibyte;

/** What an ExecutionRequest gets when its sender has no opinion. */
export const defaultLimits = { timeoutMs: 500, memoryBytes: 16 * mebibyte } as const;

/** Bounds that hold for every program, whatever its request says. */
export const fixedLimits = {
  codeBytesMax: mebibyte,
  inputBytesMax: mebibyte,
  /** UTF-16 units of the JSON text; the guest counts these, not bytes. */
  outputCharsMax: mebibyte,
  outputDepthMax: 200,
  logEntriesMax: 1_000,
  logCharsMax: 64 * kibibyte,
  logMessageCharsMax: 8 * kibibyte,
  /** Uses of capabilities. */
  hostCallsMax: 100,
  argumentCharsMax: 256 * kibibyte,
  traceLinesMax: 10_000,
  /** Larger code is run without being watched: taking it apart would cost more than the program may. */
  debugCodeBytesMax: 128 * kibibyte,
  errorNameCharsMax: 128,
  errorMessageCharsMax: 4 * kibibyte,
  /**
   * QuickJS's own stack check. Measured: at 512 KiB recursion in a built-in still overflows the host's stack first, which
   * costs the cell; at 256 KiB (1 400 guest frames) only deeply nested source code does.
   */
  stackBytes: 256 * kibibyte,
  /** Kept aside while the program runs, so that a program that used up its memory can still be asked what went wrong. */
  reserveBytes: 64 * kibibyte,
  /** An instance whose heap grew beyond this is replaced after the program, to give its pages back to the system. */
  heapBytesKept: 8 * mebibyte,
} as const;

/** The build declares this minimum, so a smaller guest cannot be walled off: about 10.75 MiB is the least there is. */
export const wasmPagesMin = 256;
const wasmPagesMax = 32_768;
/** Emscripten asks for 5 % more than it needs whenever memory grows, and gives up when that is refused. */
const growthSlack = 1.05;

/** How large the module's memory may grow so that a guest can use `memoryBytes`: the wall QuickJS's own limit is not. */
export function wasmPagesFor(memoryBytes: number): number {
  const pages = Math.ceil((memoryLayout.heapStart + memoryBytes * growthSlack) / wasmPageBytes);
  return Math.min(Math.max(pages, wasmPagesMin), wasmPagesMax);
}
