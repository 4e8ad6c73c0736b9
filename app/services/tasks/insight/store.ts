import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";
import { type QueueName, queueNames } from "../../../platform/queue/catalogue.ts";

export type InsightStore = ReturnType<typeof createInsightStore>;

const line = z.object({
  queue: z.enum(queueNames),
  /** Counted no further than asked. */
  waiting: z.number(),
  oldestWaitingMs: z.number(),
});
export type QueueLine = z.infer<typeof line>;

const health = line.extend({
  active: z.number(),
  /** The worker threads that have reported lately and take from the queue. */
  workers: z.number(),
  /** Of the sample. */
  ended: z.number(),
  /** How many of those ended without success; cancelled ones do not count. */
  failed: z.number(),
});
export type QueueHealth = z.infer<typeof health>;

/** As many of the tasks that ended last are looked at. */
const sampleSize = 500;
const lineMax = 10_000;

export function createInsightStore(db: Db) {
  return {
    /** What waits in some queues, counted up to ten thousand, and how long the first in line has. */
    lines: async (queues: readonly QueueName[]): Promise<QueueLine[]> => {
      const rows = await db.execute(sql`
        select asked.queue, counted.waiting, coalesce(extract(epoch from now() - oldest.at) * 1000, 0)::float8 as "oldestWaitingMs"
        from unnest(string_to_array(${queues.join()}, ',')) as asked (queue)
        cross join lateral (
          select count(*)::int as waiting from (select 1 from tasks where queue = asked.queue and status = 'waiting' and finished_at is null limit ${lineMax}) few
        ) counted
        left join lateral (
          select created_at as at from tasks where queue = asked.queue and status = 'waiting' and finished_at is null order by created_at limit 1
        ) oldest on true`);
      return z.array(line).parse([...rows]);
    },

    /** How many worker threads have reported lately. */
    workers: async (): Promise<number> => {
      const [row] = await db.execute(sql`select count(*)::int as count from workers where seen_at > now() - interval '10 seconds'`);
      return z.object({ count: z.number() }).parse(row).count;
    },

    /** How the queues stand; a few rows by an index for each, however many wait. `ended` is of the last five minutes. */
    health: async (countMax: Readonly<Record<QueueName, number>>): Promise<QueueHealth[]> => {
      const asked = JSON.stringify(Object.entries(countMax).map(([queue, max]) => ({ queue, max })));
      const rows = await db.execute(sql`
        select asked.queue, counted.waiting, coalesce(extract(epoch from now() - oldest.at) * 1000, 0)::float8 as "oldestWaitingMs",
          sampled.ended, sampled.failed,
          (select count(*)::int from tasks where queue = asked.queue and status = 'active' and finished_at is null) as active,
          (select count(*)::int from workers where seen_at > now() - interval '10 seconds' and concurrency -> asked.queue is not null) as workers
        from json_to_recordset(${asked}::json) as asked (queue text, max int)
        cross join lateral (
          select count(*)::int as waiting from (
            select 1 from tasks where queue = asked.queue and status = 'waiting' and finished_at is null limit asked.max
          ) few
        ) counted
        left join lateral (
          select created_at as at from tasks where queue = asked.queue and status = 'waiting' and finished_at is null order by created_at limit 1
        ) oldest on true
        cross join lateral (
          select count(*)::int as ended, count(*) filter (where status in ('failed', 'dead'))::int as failed from (
            select status from tasks where queue = asked.queue and finished_at > now() - interval '5 minutes' and status <> 'cancelled'
            order by finished_at desc limit ${sampleSize}
          ) latest
        ) sampled`);
      return z.array(health).parse([...rows]);
    },
  };
}
