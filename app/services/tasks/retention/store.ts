import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";

export type RetentionStore = ReturnType<typeof createRetentionStore>;

export interface Ended {
  readonly queue: QueueName;
  readonly before: Date;
  /** Dead letters only, or all that has ended but those. */
  readonly dead: boolean;
}

const counted = z.object({ count: z.number() });

export function createRetentionStore(db: Db) {
  return {
    /** Forgets tasks that ended before a moment, with their history; the oldest `limit` at most. Returns how many. */
    forget: async ({ queue, before, dead }: Ended, limit: number): Promise<number> => {
      const [row] = await db.execute(sql`
        with old as (
          select id from tasks
          where queue = ${queue} and finished_at < ${before.toISOString()} and ${dead ? sql`status = 'dead'` : sql`status <> 'dead'`}
          order by finished_at limit ${limit}
          for update skip locked
        ), entries as (
          delete from task_events where task_id = any(array(select id from old))
        ), gone as (
          delete from tasks where id = any(array(select id from old)) returning 1
        )
        select count(*)::int as count from gone`);
      return counted.parse(row).count;
    },
  };
}
