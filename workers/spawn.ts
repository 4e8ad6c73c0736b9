import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { SandboxThreadData, ThreadData } from "./protocol.ts";

export type ThreadKind = "queue" | "bus" | "sandbox";

/** The entry of each thread; the build compiles the same list into the one file. */
export const threadEntries = {
  queue: "queue-thread",
  bus: "bus-thread",
  sandbox: "sandbox-thread",
} as const satisfies Record<ThreadKind, string>;

/** True inside the one file made by `bun run build`. */
const isCompiled = Bun.main.startsWith("/$bunfs/") || Bun.main.startsWith("B:/~BUN/");

/** The only place that makes threads. In the one file the entries are compiled to JavaScript beside its root. */
export function spawnThread(kind: ThreadKind, data: ThreadData | SandboxThreadData): Worker {
  const entry = threadEntries[kind];
  const url = isCompiled ? new URL(`./workers/${entry}.js`, `file://${Bun.main}`) : new URL(`./${entry}.ts`, import.meta.url);
  return new Worker(url, { workerData: data, name: data.name });
}

/** The command line that runs this program again as something else, such as a cell. */
export function ownCommand(...args: readonly string[]): string[] {
  return isCompiled ? [process.execPath, ...args] : [process.execPath, join(import.meta.dir, "..", "app", "main.ts"), ...args];
}
