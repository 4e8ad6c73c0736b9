import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Db, Queryable } from "../../../../db/client.ts";
import { type QueueName, queueNames } from "../../../platform/queue/catalogue.ts";
import { tierNames } from "../../../platform/tiers.ts";

export type LongRunnerStore = ReturnType<typeof createLongRunnerStore>;

const longRunner = z.object({
  id: z.string(),
  queue: z.enum(queueNames),
  round: z.number(),
  attempts: z.number(),
  attemptsMax: z.number(),
  ownerId: z.string().nullable(),
  tier: z.enum(tierNames).nullable(),
  elapsedMs: z.number(),
  warned: z.boolean(),
  pauses: z.number(),
  canGoOn: z.boolean(),
});
export type LongRunnerRow = z.infer<typeof longRunner>;

const limit = 10_000;

export function createLongRunnerStore(db: Db) {
  return {
    /** What runs longer than its queue has said. */
    find: async (thresholds: ReadonlyMap<QueueName, number>): Promise<LongRunnerRow[]> => {
      const asked = JSON.stringify([...thresholds].map(([queue, ms]) => ({ queue, ms })));
      const rows = await db.execute(sql`
        select t.id, t.queue, t.round, t.attempts, t.attempts_max as "attemptsMax", t.owner_id as "ownerId",
          (select tier from users where users.id = t.owner_id) as tier,
          extract(epoch from now() - t.started_at)::float8 * 1000 as "elapsedMs",
          coalesce(t.warned_round = t.round, false) as warned, t.pauses, t.checkpoint is not null as "canGoOn"
        from json_to_recordset(${asked}::json) as asked (queue text, ms float8)
        join tasks t on t.queue = asked.queue and t.status = 'active' and t.finished_at is null and t.started_at < now() - asked.ms * interval '1 millisecond'
        limit ${limit}`);
      return z.array(longRunner).parse([...rows]);
    },

    /** Remembers that the round was warned of. */
    warned: async ({ id, round }: Pick<LongRunnerRow, "id" | "round">, on: Queryable): Promise<void> => {
      await on.execute(sql`update tasks set warned_round = ${round} where id = ${id}`);
    },

    /** Remembers one more pause. */
    paused: async (id: string, on: Queryable): Promise<void> => {
      await on.execute(sql`update tasks set pauses = pauses + 1 where id = ${id}`);
    },
  };
}
