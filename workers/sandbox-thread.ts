import { sweepCellFolders } from "./cell-folder.ts";
import { createCellPool } from "./cell-pool.ts";
import { openChannel } from "./channel.ts";
import type { NoMethods, SandboxCalls, SandboxThread, SandboxThreadData } from "./protocol.ts";
import { runThread } from "./thread-entry.ts";

/** Supervises the cells. Opens no connection and runs no guest code itself. */
await runThread<SandboxThreadData, NoMethods>(async ({ data, log }) => {
  sweepCellFolders();
  const pool = createCellPool({
    command: [...data.cellCommand],
    size: data.config.KEELSON_SANDBOX_CELLS ?? navigator.hardwareConcurrency,
    log,
  });
  await pool.started;
  const calls: SandboxCalls = { execute: (request) => pool.execute(request), cancel: ({ id }) => pool.cancel(id) };
  return {
    ...calls,
    stats: () => ({ ...pool.stats() }),
    attach: ({ port }) => {
      openChannel<SandboxCalls, NoMethods>(port, calls);
    },
    drain: () => pool.drain(),
    stop: () => pool.stop(),
  } satisfies SandboxThread;
});
