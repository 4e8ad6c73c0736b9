import { sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";

export type SandboxInsightStore = ReturnType<typeof createSandboxInsightStore>;

/** All executions, or one owner's own, or a team's. */
export interface Whose {
  readonly ownerId?: string;
  readonly teamId?: string;
}

const counted = z.object({ name: z.string(), count: z.number() });
const distribution = z.array(z.number()).length(3).nullable();
const summary = z.object({ wall: distribution, cpu: distribution, memory: z.array(z.number()).nullable() });

/** Upper bounds of the memory histogram. */
export const memoryStepsBytes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024].map((mebibytes) => mebibytes * 1_048_576);

export function createSandboxInsightStore(db: Db) {
  const scope = ({ ownerId, teamId }: Whose, since: Date) => {
    const after = sql`finished_at >= ${since.toISOString()}`;
    if (teamId !== undefined) return sql`${after} and team_id = ${teamId}`;
    return ownerId === undefined ? after : sql`${after} and owner_id = ${ownerId} and team_id is null`;
  };

  return {
    byStatus: async (whose: Whose, since: Date): Promise<{ name: string; count: number }[]> => {
      const rows = await db.execute(
        sql`select status as name, count(*)::int as count from executions where ${scope(whose, since)} group by status`,
      );
      return z.array(counted).parse(rows);
    },

    /** The names of errors, the most frequent first. */
    errors: async (whose: Whose, since: Date, limit: number): Promise<{ name: string; count: number }[]> => {
      const rows = await db.execute(sql`
        select error->>'name' as name, count(*)::int as count from executions
        where ${scope(whose, since)} and error is not null group by 1 order by count desc, name limit ${limit}`);
      return z.array(counted).parse(rows);
    },

    /** The 50th, 95th and 99th percentile of the times in milliseconds (those of deterministic runs are not real), and how many executions peaked within each step of memory. */
    receipts: async (whose: Whose, since: Date) => {
      const steps = sql.raw(`array[${memoryStepsBytes.join(",")}]::bigint[]`);
      const [row] = await db.execute(sql`
        with receipts as (
          select case when not deterministic then (receipt->>'wallMs')::float8 end as wall,
            case when not deterministic then (receipt->>'cpuMs')::float8 end as cpu, (receipt->>'memoryBytesPeak')::bigint as memory
          from executions where ${scope(whose, since)} and receipt is not null
        ), histogram as (
          select step, count(memory) as count from unnest(${steps}) with ordinality as steps (step, n)
          left join receipts on memory <= step and memory > coalesce((${steps})[n::int - 1], -1) group by step
        )
        select to_json(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by wall)) as wall,
          to_json(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by cpu)) as cpu,
          (select json_agg(count order by step) from histogram) as memory
        from receipts`);
      return summary.parse(row);
    },
  };
}
