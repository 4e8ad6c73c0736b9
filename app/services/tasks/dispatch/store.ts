import { and, asc, eq, inArray, lte, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../db/client.ts";
import { queues, tasks, workers } from "../../../../db/schema/tasks.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";
import type { Waiting } from "./fair-share.ts";

export type DispatchStore = ReturnType<typeof createDispatchStore>;

/** One round of a task that waits. */
export interface WaitingTask {
  readonly id: string;
  readonly round: number;
  readonly groupKey: string;
}

const waiting = z.object({ groupKey: z.string(), weight: z.number() });
const waitingTask = z.object({ id: z.string(), round: z.number(), groupKey: z.string() });

/** What the dispatcher asks of the record: always a few rows by an index, however many wait. */
export function createDispatchStore(db: Db) {
  return {
    /** The groups of a queue that have something waiting: a skip scan, one step of the index for each. */
    groups: async (queue: QueueName): Promise<Waiting[]> => {
      const rows = await db.execute(sql`
        with recursive found as (
          (select group_key, weight from tasks where queue = ${queue} and status = 'waiting' order by group_key, priority, id limit 1)
          union all
          select more.group_key, more.weight from found cross join lateral (
            select group_key, weight from tasks
            where queue = ${queue} and status = 'waiting' and group_key > found.group_key
            order by group_key, priority, id limit 1
          ) more
        )
        select group_key as "groupKey", weight from found`);
      return z.array(waiting).parse([...rows]);
    },

    /** The first tasks of each group, in the order in which they are due. */
    first: async (queue: QueueName, limits: ReadonlyMap<string, number>): Promise<WaitingTask[]> => {
      const wanted = JSON.stringify([...limits].map(([key, count]) => ({ key, count })));
      const rows = await db.execute(sql`
        select t.id, t.round, wanted.key as "groupKey"
        from json_to_recordset(${wanted}::json) as wanted (key text, count int)
        cross join lateral (
          select id, round from tasks
          where queue = ${queue} and status = 'waiting' and group_key = wanted.key
          order by priority, id limit wanted.count
        ) t`);
      return z.array(waitingTask).parse([...rows]);
    },

    /** What a worker needs of these tasks, as far as they still wait. */
    jobs: (ids: readonly string[]) =>
      db
        .select({
          id: tasks.id,
          round: tasks.round,
          name: tasks.job,
          ownerId: tasks.ownerId,
          input: tasks.input,
          attempts: tasks.attempts,
          attemptsMax: tasks.attemptsMax,
          timeoutMs: tasks.timeoutMs,
          checkpoint: tasks.checkpoint,
          requestId: tasks.requestId,
        })
        .from(tasks)
        .where(and(sql`${tasks.id} = any(string_to_array(${ids.join()}, ','))`, eq(tasks.status, "waiting"))),

    /** Of these rounds, those that wait or run. */
    unfinished: (ids: readonly string[]) =>
      db
        .select({ id: tasks.id, round: tasks.round, status: tasks.status })
        .from(tasks)
        .where(and(sql`${tasks.id} = any(string_to_array(${ids.join()}, ','))`, inArray(tasks.status, ["waiting", "active"]))),

    /** What runs in a queue, as the record has it. */
    running: (queue: QueueName) =>
      db
        .select({ id: tasks.id, round: tasks.round, groupKey: tasks.groupKey })
        .from(tasks)
        .where(and(eq(tasks.queue, queue), eq(tasks.status, "active"))),

    /** Delayed tasks whose time has come. */
    due: (limit: number) =>
      db
        .select({ id: tasks.id, round: tasks.round, queue: tasks.queue, attempts: tasks.attempts })
        .from(tasks)
        .where(and(eq(tasks.status, "delayed"), lte(tasks.availableAt, sql`now()`)))
        .orderBy(asc(tasks.availableAt))
        .limit(limit),

    /** Tasks whose worker has not been seen for `ms`. */
    orphans: (ms: number, limit: number) =>
      db
        .select({
          id: tasks.id,
          round: tasks.round,
          queue: tasks.queue,
          attempts: tasks.attempts,
          attemptsMax: tasks.attemptsMax,
          losses: tasks.losses,
        })
        .from(tasks)
        .where(
          and(
            eq(tasks.status, "active"),
            sql`not exists (select 1 from ${workers} w where w.id = ${tasks.workerId} and w.seen_at > now() - ${ms} * interval '1 millisecond')`,
          ),
        )
        .limit(limit),

    pausedQueues: async (): Promise<ReadonlySet<string>> => {
      const rows = await db.select({ name: queues.name }).from(queues).where(sql`${queues.pausedAt} is not null`);
      return new Set(rows.map(({ name }) => name));
    },
  };
}
