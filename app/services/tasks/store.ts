import { and, asc, desc, eq, getTableColumns, gte, inArray, isNull, lt, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../db/client.ts";
import { users } from "../../../db/schema/auth.ts";
import { queues, type TaskUse, taskEvents, tasks, workers } from "../../../db/schema/tasks.ts";
import type { QueueName } from "../../platform/queue/catalogue.ts";
import type { TaskEvent } from "./events.ts";
import type { NewTask } from "./record/store.ts";
import { endedWithoutSuccess, isFinal, type TaskStatus } from "./states.ts";

export type TaskRow = typeof tasks.$inferSelect;
/** A page holds many tasks, and each of these may hold a megabyte. */
const { input: _input, result: _result, checkpoint: _checkpoint, ...summaryColumns } = getTableColumns(tasks);
export type TaskSummaryRow = Omit<TaskRow, "input" | "result" | "checkpoint">;
export type TaskStore = ReturnType<typeof createTaskStore>;

/** Whose tasks: without either, everybody's. */
export interface TaskOwnership {
  /** What is the user's own; with `teamId` that does not count. */
  readonly ownerId?: string;
  readonly teamId?: string;
}

export interface TaskFilter extends TaskOwnership {
  readonly queue?: QueueName;
  readonly status?: TaskStatus;
  readonly since?: Date;
  /** Part of the error's text. */
  readonly text?: string;
  /** The last id of the page before. */
  readonly before?: string;
  readonly limit: number;
}

/** A stretch of a task's history. */
export interface History {
  readonly events: readonly TaskEvent[];
  /** Nothing follows: the task has ended, and this goes up to its result. */
  readonly complete: boolean;
}

/** The read side of tasks; what changes them is in `record/`. */
export function createTaskStore(db: Db) {
  return {
    find: async (id: string, on: Queryable = db): Promise<TaskRow | undefined> => {
      const [row] = await on.select().from(tasks).where(eq(tasks.id, id));
      return row;
    },

    findByDedupeKey: async (task: Pick<NewTask, "queue" | "groupKey" | "dedupeKey">, on: Queryable): Promise<string | undefined> => {
      const { queue, groupKey, dedupeKey = "" } = task;
      const [row] = await on
        .select({ id: tasks.id })
        .from(tasks)
        .where(and(eq(tasks.queue, queue), eq(tasks.groupKey, groupKey), eq(tasks.dedupeKey, dedupeKey), isNull(tasks.finishedAt)));
      return row?.id;
    },

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on
        .delete(taskEvents)
        .where(inArray(taskEvents.taskId, on.select({ id: tasks.id }).from(tasks).where(eq(tasks.ownerId, ownerId))));
      await on.delete(tasks).where(eq(tasks.ownerId, ownerId));
    },

    byIds: (ids: readonly string[]): Promise<TaskSummaryRow[]> =>
      db.select(summaryColumns).from(tasks).where(sql`${tasks.id} = any(string_to_array(${ids.join()}, ','))`),

    /** Of these, those that have ended without success. */
    unsuccessful: async (ids: readonly string[]) => {
      const rows = await db
        .select({ id: tasks.id, error: tasks.error, finishedAt: tasks.finishedAt })
        .from(tasks)
        .where(and(sql`${tasks.id} = any(string_to_array(${ids.join()}, ','))`, inArray(tasks.status, [...endedWithoutSuccess])));
      return rows.flatMap(({ finishedAt, ...row }) => (finishedAt ? [{ ...row, finishedAt }] : []));
    },

    /** What is the owner's own, with all that it holds. */
    ownedBy: (ownerId: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<TaskRow[]> =>
      db
        .select()
        .from(tasks)
        .where(and(belongsTo({ ownerId }), before ? lt(tasks.id, before) : undefined))
        .orderBy(desc(tasks.id))
        .limit(limit),

    list: (filter: TaskFilter): Promise<TaskSummaryRow[]> =>
      db
        .select(summaryColumns)
        .from(tasks)
        .where(
          and(
            belongsTo(filter),
            filter.queue ? eq(tasks.queue, filter.queue) : undefined,
            filter.status ? eq(tasks.status, filter.status) : undefined,
            filter.since ? gte(tasks.createdAt, filter.since) : undefined,
            filter.text ? sql`strpos(lower(${tasks.error}->>'message'), ${filter.text.toLowerCase()}) > 0` : undefined,
            filter.before ? lt(tasks.id, filter.before) : undefined,
          ),
        )
        .orderBy(desc(tasks.id))
        .limit(filter.limit),

    /** What runs, with the worker that runs it and what that has reported, the longest first. */
    active: (filter: TaskOwnership, limit: number) =>
      db
        .select({
          task: summaryColumns,
          worker: { node: workers.node, thread: workers.thread, seenAt: workers.seenAt },
          use: sql<TaskUse | null>`${workers.uses} -> ${tasks.id}`,
          tier: users.tier,
        })
        .from(tasks)
        .leftJoin(workers, eq(workers.id, tasks.workerId))
        .leftJoin(users, eq(users.id, tasks.ownerId))
        .where(and(eq(tasks.status, "active"), belongsTo(filter)))
        .orderBy(asc(tasks.startedAt))
        .limit(limit),

    /** Dead letters, the oldest first. */
    dead: async (
      filter: TaskOwnership & { readonly queue: QueueName; readonly ids?: readonly string[] },
      limit: number,
    ): Promise<string[]> => {
      const rows = await db
        .select({ id: tasks.id })
        .from(tasks)
        .where(
          and(
            eq(tasks.queue, filter.queue),
            eq(tasks.status, "dead"),
            belongsTo(filter),
            filter.ids ? sql`${tasks.id} = any(string_to_array(${filter.ids.join()}, ','))` : undefined,
          ),
        )
        .orderBy(asc(tasks.id))
        .limit(limit);
      return rows.map(({ id }) => id);
    },

    historyAfter: async (id: string, seq: number, limit: number): Promise<History> => {
      const rows = await db
        .select({ status: tasks.status, lastSeq: tasks.lastSeq, first: taskEvents.seq, entries: taskEvents.entries })
        .from(tasks)
        .leftJoin(
          taskEvents,
          and(eq(taskEvents.taskId, tasks.id), sql`${taskEvents.seq} + json_array_length(${taskEvents.entries}) - 1 > ${seq}`),
        )
        .where(eq(tasks.id, id))
        .orderBy(asc(taskEvents.seq))
        .limit(limit);
      const [task] = rows;
      if (!task) return { events: [], complete: true };
      const beginning: TaskEvent[] = task.first === 1 ? [] : [{ seq: 1, type: "state", data: { status: "waiting", attempts: 0 } }];
      const written = rows.flatMap(({ first, entries }) =>
        (entries ?? []).map((entry, index): TaskEvent => ({ seq: (first ?? 0) + index, data: undefined, ...entry })),
      );
      const events = [...beginning, ...written].filter((event) => event.seq > seq);
      return { events, complete: isFinal(task.status) && (events.at(-1)?.seq ?? seq) >= task.lastSeq };
    },

    pauseQueue: async (name: QueueName, paused: boolean, on: Queryable): Promise<void> => {
      const pausedAt = paused ? sql`now()` : null;
      await on.insert(queues).values({ name, pausedAt }).onConflictDoUpdate({ target: queues.name, set: { pausedAt } });
    },

    pausedQueues: async (): Promise<ReadonlyMap<string, Date>> => {
      const rows = await db.select().from(queues);
      return new Map(rows.flatMap(({ name, pausedAt }) => (pausedAt ? [[name, pausedAt] as const] : [])));
    },
  };
}

function belongsTo({ ownerId, teamId }: TaskOwnership) {
  if (teamId !== undefined) return eq(tasks.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(tasks.ownerId, ownerId), isNull(tasks.teamId));
}
