import { type CellCommand, type CellMessage, createCallClient } from "./cell-messages.ts";
import { createEngine } from "./engine.ts";
import type { ExecutionRequest } from "./execution.ts";
import { openLogTrail } from "./log-trail.ts";
import { openTypeStripper, type StripTypes } from "./type-stripping.ts";
import { becomeUnprivileged } from "./unprivileged.ts";

/** The main function of a cell's process. It must be spawned with an IPC channel and ends the process when that closes. */
export async function runCell(): Promise<void> {
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole process group: the supervisor decides when a cell ends, so that running programs may finish.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  const folder = process.cwd();
  const [trail, stripper, calls] = [openLogTrail(folder), openTypeStripper(folder), createCallClient(send)];
  const rssBytes = createMemoryWatch();
  let current: string | undefined;

  const loadStripper = async (): Promise<StripTypes> => {
    const id = current ?? "";
    send({ kind: "loading", id });
    // What follows holds the thread: the message has to be gone by then.
    await new Promise(setImmediate);
    const strip = stripper();
    send({ kind: "loaded", id });
    return strip;
  };
  const engine = createEngine({ loadStripper, ask: calls.askFor, onLog: trail.add });

  const execute = async (request: ExecutionRequest): Promise<void> => {
    current = request.id;
    const report = await engine.execute(request);
    send({ kind: "outcome", id: request.id, ...report, rssBytes: rssBytes() });
    calls.clear();
    trail.clear();
    await engine.prepare();
  };

  await engine.prepare();
  becomeUnprivileged();
  // The supervisor sends one program at a time, so no queue is needed here.
  process.on("message", (command: CellCommand) => (command.kind === "execute" ? void execute(command.request) : calls.take(command)));
  send({ kind: "ready" });
}

const runsPerLook = 16;

/** A look at the process's memory costs as much as a small program; it is worth one now and then. */
function createMemoryWatch(): () => number {
  let runs = 0;
  let rssBytes = 0;
  return () => {
    if (runs % runsPerLook === 0) rssBytes = process.memoryUsage.rss();
    runs += 1;
    return rssBytes;
  };
}

function send(message: CellMessage): void {
  process.send?.(message);
}
