import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";
import { taskStatuses } from "../../../../db/schema/tasks.ts";
import { type QueueName, queueNames } from "../../../platform/queue/catalogue.ts";

export type QueueInsightStore = ReturnType<typeof createQueueInsightStore>;

const statusCount = z.object({ queue: z.string(), status: z.enum(taskStatuses), count: z.number() });
const ended = z.object({
  queue: z.string(),
  in1: z.number(),
  in5: z.number(),
  in60: z.number(),
  waits: z.array(z.number()).nullable(),
  runs: z.array(z.number()).nullable(),
});
const errorCount = z.object({ queue: z.string(), name: z.string(), count: z.number() });
const oldest = z.object({ queue: z.string(), ms: z.number() });

/** Latencies are those of this many tasks that ended last, of each queue, within the hour. */
const sampleSize = 2_000;
const errorsMax = 20;

/** What the record says of the queues. */
export function createQueueInsightStore(db: Db) {
  return {
    /** How many tasks have which status: of those that have not ended, and of the dead letters. */
    counts: async () => {
      const rows = await db.execute(sql`
        select queue, status, count(*)::int as count from tasks where finished_at is null group by 1, 2
        union all select queue, status, count(*)::int from tasks where status = 'dead' group by 1, 2`);
      return z.array(statusCount).parse([...rows]);
    },

    /** How long the first in line of each queue has waited. */
    oldestWaiting: async () => {
      const rows = await db.execute(sql`
        select asked.queue, extract(epoch from now() - first.created_at)::float8 * 1000 as ms
        from unnest(string_to_array(${queueNames.join()}, ',')) as asked (queue)
        cross join lateral (select created_at from tasks where queue = asked.queue and status = 'waiting' and finished_at is null order by created_at limit 1) first`);
      return z.array(oldest).parse([...rows]);
    },

    /** What ended within the hour: how many, and how long they waited and ran (p50, p95, p99; milliseconds). */
    ended: async () => {
      const rows = await db.execute(sql`
        with names as (select distinct queue from tasks where finished_at > now() - interval '1 hour'),
        counted as (
          select queue, count(*) filter (where finished_at > now() - interval '1 minute')::int as in1,
            count(*) filter (where finished_at > now() - interval '5 minutes')::int as in5, count(*)::int as in60
          from tasks where finished_at > now() - interval '1 hour' group by 1
        ), sampled as (
          select names.queue, s.* from names cross join lateral (
            select extract(epoch from started_at - created_at)::float8 * 1000 as wait, extract(epoch from finished_at - started_at)::float8 * 1000 as run
            from tasks where tasks.queue = names.queue and finished_at > now() - interval '1 hour' order by finished_at desc limit ${sampleSize}
          ) s
        ), measured as (
          select queue, percentile_cont(array[0.5, 0.95, 0.99]) within group (order by wait) as waits,
            percentile_cont(array[0.5, 0.95, 0.99]) within group (order by run) as runs
          from sampled where wait is not null group by 1
        )
        select queue, in1, in5, in60, array_to_json(waits) as waits, array_to_json(runs) as runs from counted left join measured using (queue)`);
      return z.array(ended).parse([...rows]);
    },

    /** Why tasks ended without success within the hour, by the error's name; the most frequent ones of each queue. */
    errors: async () => {
      const rows = await db.execute(sql`
        select queue, name, count from (
          select queue, coalesce(error ->> 'name', 'Error') as name, count(*)::int as count,
            row_number() over (partition by queue order by count(*) desc) as place
          from tasks where finished_at > now() - interval '1 hour' and status in ('failed', 'dead') group by 1, 2
        ) named where place <= ${errorsMax} order by count desc`);
      return z.array(errorCount).parse([...rows]);
    },

    /** What each worker thread that has reported lately would run at once, by queue. */
    workers: async (): Promise<readonly Readonly<Record<string, number>>[]> => {
      const rows = await db.execute(sql`select concurrency from workers where seen_at > now() - interval '10 seconds'`);
      return z
        .array(z.object({ concurrency: z.record(z.string(), z.number()) }))
        .parse([...rows])
        .map(({ concurrency }) => concurrency);
    },

    /** How many wait, counted no further than `max`. */
    waitingUpTo: async (queue: QueueName, max: number): Promise<number> => {
      const [row] = await db.execute(sql`
        select count(*)::int as count from (select 1 from tasks where queue = ${queue} and status = 'waiting' limit ${max}) counted`);
      return z.object({ count: z.number() }).parse(row).count;
    },
  };
}
