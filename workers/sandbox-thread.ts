import { sweepCellFolders } from "./cell-folder.ts";
import { createCellPool } from "./cell-pool.ts";
import { type Channel, openChannel } from "./channel.ts";
import type { SandboxCalls, SandboxHost, SandboxThread, SandboxThreadData } from "./protocol.ts";
import { runThread } from "./thread-entry.ts";

/** Supervises the cells. Opens no connection and runs no guest code itself. */
await runThread<SandboxThreadData, SandboxHost>(async ({ data, log, main }) => {
  sweepCellFolders();
  const pool = createCellPool({
    command: [...data.cellCommand],
    // One more than the cores: while others keep those busy, somebody else's program still has a cell.
    size: data.config.KEELSON_SANDBOX_CELLS ?? navigator.hardwareConcurrency + 1,
    ...(data.config.KEELSON_SANDBOX_TENANT_CONCURRENCY ? { ownerConcurrency: data.config.KEELSON_SANDBOX_TENANT_CONCURRENCY } : {}),
    ownerCpuMsPerMinute: data.config.KEELSON_SANDBOX_TENANT_CPU_MS_PER_MINUTE,
    log,
  });
  await pool.started;
  const callsOf = (asker: () => Channel<SandboxHost>): SandboxCalls => ({
    execute: (request) => pool.execute(request, (call) => asker().call("answerCall", { id: request.id, call }, request.timeoutMs)),
    cancel: ({ id }) => pool.cancel(id),
  });
  return {
    ...callsOf(main),
    stats: () => ({ ...pool.stats() }),
    attach: ({ port }) => {
      const asker: Channel<SandboxHost> = openChannel<SandboxCalls, SandboxHost>(
        port,
        callsOf(() => asker),
      );
    },
    drain: () => pool.drain(),
    stop: () => pool.stop(),
  } satisfies SandboxThread;
});
