import { and, desc, eq, getTableColumns, inArray, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";
import { tasks, workers } from "../../../../db/schema/tasks.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";
import { endedWithoutSuccess, type TaskStatus } from "../states.ts";
import type { TaskRow } from "../store.ts";

export type BoardStore = ReturnType<typeof createBoardStore>;

/** What of a queue's tasks is shown: all, those with a status that is none of an end, or those that ended one way or the other. */
export type Shown = "all" | "completed" | "unsuccessful" | Exclude<TaskStatus, "completed" | "failed" | "cancelled" | "dead">;

/** A page holds many tasks; of longer texts it says that they are in the task itself. */
const shownBytesMax = 16_384;
/** Of each queue those that ended last, and no more of them are leafed through; `GET /v1/tasks` goes on from there. */
export const endedMax = 1_000;

/** Where to begin and how many. */
export interface PageRange {
  readonly offset: number;
  readonly limit: number;
}

const endedCount = z.object({ queue: z.string(), completed: z.number(), unsuccessful: z.number() });

/** The record as Bull Board leafs through it: by page and not by cursor. */
export function createBoardStore(db: Db) {
  const columns = {
    ...getTableColumns(tasks),
    input: shortened(sql`${tasks.input}`),
    result: shortened(sql`${tasks.result}`),
    checkpoint: sql<null>`null`,
  };
  return {
    page: (queue: QueueName, shown: Shown, { offset, limit }: PageRange): Promise<TaskRow[]> =>
      db
        .select(columns)
        .from(tasks)
        .where(and(eq(tasks.queue, queue), isShown(shown)))
        .orderBy(newestFirst(shown))
        .offset(offset)
        .limit(limit),

    /** Among those of each queue that ended last. */
    ended: async (queues: readonly QueueName[]) => {
      const rows = await db.execute(sql`
        select asked.queue, count(*) filter (where status = 'completed')::int as completed, count(*) filter (where status <> 'completed')::int as unsuccessful
        from unnest(string_to_array(${queues.join()}, ',')) as asked (queue)
        cross join lateral (
          select status from tasks where queue = asked.queue and finished_at is not null order by finished_at desc limit ${endedMax}
        ) last group by 1`);
      return z.array(endedCount).parse([...rows]);
    },

    /** The worker threads that have reported lately. */
    workers: () =>
      db
        .select({
          id: workers.id,
          node: workers.node,
          thread: workers.thread,
          startedAt: workers.startedAt,
          concurrency: workers.concurrency,
        })
        .from(workers)
        .where(sql`${workers.seenAt} > now() - interval '10 seconds'`),
  };
}

function isShown(shown: Shown): SQL | undefined {
  if (shown === "all") return undefined;
  if (shown === "completed") return and(isNotNull(tasks.finishedAt), eq(tasks.status, "completed"));
  if (shown === "unsuccessful") return and(isNotNull(tasks.finishedAt), inArray(tasks.status, [...endedWithoutSuccess]));
  return and(isNull(tasks.finishedAt), eq(tasks.status, shown));
}

function newestFirst(shown: Shown): SQL {
  if (shown === "all") return desc(tasks.id);
  return desc(shown === "completed" || shown === "unsuccessful" ? tasks.finishedAt : tasks.createdAt);
}

function shortened(column: SQL): SQL<unknown> {
  return sql`case when octet_length(${column}::text) > ${shownBytesMax} then json_build_object('tooLong', 'Open the job to see it.') else ${column} end`;
}
