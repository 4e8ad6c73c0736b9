import type { z } from "zod";
import type { subscription } from "./schema.ts";
import type { SubscriptionRow } from "./store.ts";

export type SubscriptionView = z.infer<typeof subscription>;

export function toSubscriptionView(row: SubscriptionRow): SubscriptionView {
  return {
    id: row.id,
    pattern: [...row.patterns],
    url: row.url,
    description: row.description,
    status: row.status,
    ...(row.disabledReason === null ? {} : { disabledReason: row.disabledReason }),
    concurrency: row.concurrency,
    ...(row.batchSize === 1 ? {} : { batch: { size: row.batchSize, waitMs: row.batchWaitMs } }),
    ...(row.failingSince === null ? {} : { failingSince: row.failingSince.toISOString() }),
    ...(row.teamId === null ? {} : { teamId: row.teamId }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
