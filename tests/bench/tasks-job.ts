import { z } from "zod";
import { type QueueTable, queueCatalogue } from "../../app/platform/queue/catalogue.ts";
import { defineJob } from "../../app/platform/queue/job.ts";

/** A job that does nothing. */
export const benchJob = defineJob({ name: "bench.job", queue: "maintenance", input: z.strictObject({ sentAt: z.number() }) });

export function benchQueues(concurrency: number): QueueTable {
  return { ...queueCatalogue, maintenance: { ...queueCatalogue.maintenance, concurrencyMin: concurrency, concurrencyMax: concurrency } };
}

/** What a worker process tells of the jobs so far; times are milliseconds since the epoch, fractions too. */
export const worked = z.object({ recorded: z.number(), firstAt: z.number(), lastAt: z.number(), waits: z.array(z.number()) });

/** The same clock in every process. */
export function sinceEpochMs(): number {
  return performance.timeOrigin + performance.now();
}
