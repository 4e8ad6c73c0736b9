import type { GuestLog } from "./execution.ts";
import { fixedLimits } from "./limits.ts";

const levels = ["debug", "log", "info", "warn", "error"] as const;

export type OnLog = (entry: GuestLog) => void;

export interface LogCapture {
  /** False once the program has said all it may; that is recorded as a last entry. */
  add(levelIndex: number, message: string, atMs: number): boolean;
  entries(): readonly GuestLog[];
}

/** Keeps what a program writes to its console, up to a number of entries and of characters. */
export function createLogCapture(onLog: OnLog = () => undefined): LogCapture {
  const entries: GuestLog[] = [];
  let chars = 0;
  let full = false;
  const keep = (entry: GuestLog) => {
    entries.push(entry);
    onLog(entry);
  };
  return {
    add: (levelIndex, message, atMs) => {
      if (full) return false;
      chars += message.length;
      full = entries.length >= fixedLimits.logEntriesMax || chars > fixedLimits.logCharsMax;
      if (full) {
        const bounds = `${fixedLimits.logEntriesMax} entries or ${fixedLimits.logCharsMax} characters`;
        keep({ level: "warn", message: `log truncated: more than ${bounds}`, atMs });
        return false;
      }
      keep({ level: levels[levelIndex] ?? "log", message, atMs });
      return true;
    },
    entries: () => entries,
  };
}
