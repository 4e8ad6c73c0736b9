import type { Now } from "../../platform/clock.ts";
import type { ExecutionStore } from "./store.ts";
import type { ValueStore } from "./values/store.ts";

/** So few at a time that nobody waits for them. */
const batchSize = 500;
/** In one go of the housekeeping, which comes again within a minute. */
const batchesMax = 50;
const dayMs = 86_400_000;

export interface SandboxForgetDeps {
  readonly executions: Pick<ExecutionStore, "forget">;
  readonly values: Pick<ValueStore, "deleteExpired">;
  readonly days: number;
  readonly now: Now;
}

/** Forgets executions that ended so many days ago, and values whose time is over. Returns how many. */
export function createForgetExecutions({ executions, values, days, now }: SandboxForgetDeps): () => Promise<number> {
  return async () => {
    const before = new Date(now().getTime() - days * dayMs);
    return (await inBatches(() => executions.forget(before, batchSize))) + (await inBatches(() => values.deleteExpired(now(), batchSize)));
  };
}

async function inBatches(forget: () => Promise<number>): Promise<number> {
  let gone = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const count = await forget();
    gone += count;
    if (count < batchSize) break;
  }
  return gone;
}
