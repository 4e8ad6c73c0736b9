import type { GuestClock } from "./clock.ts";
import type { DebugOptions, DebugReport, FunctionProfile, GuestError } from "./execution.ts";
import type { Instrumented } from "./instrument.ts";
import { fixedLimits } from "./limits.ts";
import { programFile } from "./marshal.ts";

/** Names that a program would have to choose on purpose, and is then run without being watched. */
export const hooks = { statement: "$keelson$statement", enter: "$keelson$enter", leave: "$keelson$leave" } as const;

/** Watches one program. What it is told comes from the program, which may call the hooks with anything. */
export interface Recorder {
  statement(index: number): void;
  enter(index: number): void;
  leave(index: number): void;
  report(): DebugReport;
  /** The error with the places that the code had before it was instrumented. */
  placed(error: GuestError): GuestError;
}

interface Frame {
  readonly index: number;
  readonly enteredMs: number;
  /** Spent in what it called. */
  childrenMs: number;
}

const framesMax = 10_000;

export function createRecorder(woven: Instrumented, clock: GuestClock, { trace, profile }: DebugOptions): Recorder {
  const lines: number[] = [];
  const frames: Frame[] = [];
  const spent = woven.functions.map(() => ({ calls: 0, selfMs: 0, totalMs: 0 }));
  let truncated = false;

  const leave = (index: number): void => {
    // Those of async functions and generators need not end in the order they began.
    const at = frames.findLastIndex((frame) => frame.index === index);
    const [frame] = at < 0 ? [] : frames.splice(at, 1);
    const own = spent[index];
    if (!frame || !own) return;
    const tookMs = clock.elapsedMs() - frame.enteredMs;
    own.totalMs += tookMs;
    own.selfMs += Math.max(0, tookMs - frame.childrenMs);
    const caller = frames[at - 1];
    if (caller) caller.childrenMs += tookMs;
  };

  return {
    statement: (index) => {
      const place = woven.statements[index];
      if (place && lines.length < fixedLimits.traceLinesMax) lines.push(place.line);
      else truncated = true;
    },
    enter: (index) => {
      const own = spent[index];
      if (!own) return;
      own.calls += 1;
      if (frames.length < framesMax) frames.push({ index, enteredMs: clock.elapsedMs(), childrenMs: 0 });
    },
    leave,
    report: () => {
      // What was stopped in the middle has spent what it has spent.
      for (const { index } of frames.toReversed()) leave(index);
      const called = woven.functions.flatMap(({ name, line }, index): FunctionProfile[] => {
        const own = spent[index];
        return own && own.calls > 0 ? [{ name, line, ...own }] : [];
      });
      return {
        ...(trace ? { trace: { lines, truncated } } : {}),
        ...(profile ? { profile: called.toSorted((a, b) => b.selfMs - a.selfMs) } : {}),
      };
    },
    placed: ({ line, column, stack, ...error }) => ({
      ...error,
      ...(line === undefined ? {} : { line }),
      ...(line === undefined || column === undefined ? {} : { column: woven.columnOf(line, column) }),
      ...(stack === undefined ? {} : { stack: stack.replace(placeInStack, (_, at: string, col: string) => toPlace(woven, at, col)) }),
    }),
  };
}

const placeInStack = new RegExp(`${programFile.replace(".", "\\.")}:(\\d{1,7}):(\\d{1,7})`, "g");

function toPlace(woven: Instrumented, line: string, column: string): string {
  return `${programFile}:${line}:${woven.columnOf(Number(line), Number(column))}`;
}
