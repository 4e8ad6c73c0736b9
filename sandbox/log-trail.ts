import { ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { GuestLog } from "./execution.ts";

const fileName = "log.jsonl";

/** What a program has written so far, where its supervisor finds it should the cell have to be killed. */
export interface LogTrail {
  add(entry: GuestLog): void;
  clear(): void;
}

/** In the cell, whose folder it is. */
export function openLogTrail(folder: string): LogTrail {
  const file = openSync(join(folder, fileName), "w", 0o600);
  let position = 0;
  return {
    add: (entry) => {
      position += writeSync(file, `${JSON.stringify(entry)}\n`, position);
    },
    clear: () => {
      if (position > 0) ftruncateSync(file);
      position = 0;
    },
  };
}

/** In the supervisor, once the cell is gone. A line that was cut is left out. */
export function readLogTrail(folder: string): readonly GuestLog[] {
  try {
    const lines = readFileSync(join(folder, fileName), "utf8").split("\n");
    return lines.slice(0, -1).map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
