import type { CellCommand, CellMessage } from "./cell-messages.ts";
import { createEngine, type Engine } from "./engine.ts";
import type { ExecutionRequest } from "./execution.ts";
import { dieWithParent } from "./parent-death.ts";

/** The main function of a cell's process. It must be spawned with an IPC channel and ends the process when that closes. */
export async function runCell(): Promise<void> {
  dieWithParent();
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole process group: the supervisor decides when a cell ends, so that running programs may finish.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  const engine = createEngine();
  await engine.prepare();
  // The supervisor sends one command at a time, so no queue is needed here.
  process.on("message", (command: CellCommand) => void answer(engine, command.request));
  send({ kind: "ready" });
}

async function answer(engine: Engine, request: ExecutionRequest): Promise<void> {
  const { outcome, spoiled } = await engine.execute(request);
  const cpu = process.cpuUsage();
  const message: CellMessage = { kind: "outcome", id: request.id, outcome, cpuMsTotal: (cpu.user + cpu.system) / 1_000 };
  send(spoiled === undefined ? message : { ...message, spoiled });
  await engine.prepare();
}

function send(message: CellMessage): void {
  process.send?.(message);
}
