import type { Now } from "../../../platform/clock.ts";
import { type QueueTable, queueNames } from "../../../platform/queue/catalogue.ts";
import type { Ended, RetentionStore } from "./store.ts";

/** So few at a time that nobody waits for them. */
const batchSize = 1_000;
/** In one go of the housekeeping, which comes again within a minute. */
const batchesMax = 50;
const dayMs = 86_400_000;

export interface ForgetDeps {
  readonly store: RetentionStore;
  readonly settings: QueueTable;
  readonly now: Now;
}

/** Forgets what has ended longer ago than its queue remembers. Returns how many tasks. */
export function createForgetEnded({ store, settings, now }: ForgetDeps): () => Promise<number> {
  return async () => {
    let gone = 0;
    for (const queue of queueNames) {
      const { retentionDays, deadLetterDays } = settings[queue];
      gone += await forgetAll(store, { queue, dead: false, before: daysAgo(retentionDays) });
      gone += await forgetAll(store, { queue, dead: true, before: daysAgo(deadLetterDays) });
    }
    return gone;
  };

  function daysAgo(days: number): Date {
    return new Date(now().getTime() - days * dayMs);
  }
}

/** In batches, up to a number of them that takes some seconds. */
export async function forgetAll(store: RetentionStore, ended: Ended): Promise<number> {
  let gone = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const count = await store.forget(ended, batchSize);
    gone += count;
    if (count < batchSize) break;
  }
  return gone;
}
