import { and, asc, desc, eq, getTableColumns, gt, inArray, isNull, lt, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../db/client.ts";
import { taskEvents, tasks } from "../../../db/schema/tasks.ts";
import type { TaskEvent } from "./events.ts";
import { predecessorsOf, type TaskStatus } from "./states.ts";

export type TaskRow = typeof tasks.$inferSelect;
/** A page holds many tasks, and each of these may hold a megabyte. */
const { input: _input, result: _result, ...summaryColumns } = getTableColumns(tasks);
export type TaskSummaryRow = Omit<TaskRow, "input" | "result">;
export type TaskChanges = Partial<Pick<TaskRow, "attempts" | "result" | "error" | "startedAt" | "finishedAt" | "progress">>;
export type TaskStore = ReturnType<typeof createTaskStore>;

export type TaskEntry = Pick<TaskEvent, "type" | "data">;

export interface TaskMove {
  readonly to: TaskStatus;
  readonly changes: TaskChanges;
  /** How many history entries this move writes. */
  readonly entries: number;
}

export interface TaskFilter {
  /** What is the user's own; with `teamId` that does not count. */
  readonly ownerId?: string;
  readonly teamId?: string;
  readonly queue?: string;
  readonly status?: TaskStatus;
  /** The last id of the page before. */
  readonly before?: string;
  readonly limit: number;
}

export function createTaskStore(db: Db) {
  const numbered = (count: number) => sql`${tasks.lastSeq} + ${count}`;

  return {
    insert: async (row: typeof tasks.$inferInsert, on: Queryable = db): Promise<TaskRow> => {
      const [inserted] = await on.insert(tasks).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    find: async (id: string, on: Queryable = db): Promise<TaskRow | undefined> => {
      const [row] = await on.select().from(tasks).where(eq(tasks.id, id));
      return row;
    },

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on.delete(tasks).where(eq(tasks.ownerId, ownerId));
    },

    list: (filter: TaskFilter): Promise<TaskSummaryRow[]> =>
      db
        .select(summaryColumns)
        .from(tasks)
        .where(
          and(
            belongsTo(filter),
            filter.queue ? eq(tasks.queue, filter.queue) : undefined,
            filter.status ? eq(tasks.status, filter.status) : undefined,
            filter.before ? lt(tasks.id, filter.before) : undefined,
          ),
        )
        .orderBy(desc(tasks.id))
        .limit(filter.limit),

    /** Moves the task to `status` if its state machine allows that; undefined when it does not, or when there is no such task. */
    move: async (id: string, move: TaskMove, on: Queryable): Promise<TaskRow | undefined> => {
      const [row] = await on
        .update(tasks)
        .set({ ...move.changes, status: move.to, lastSeq: numbered(move.entries) })
        .where(and(eq(tasks.id, id), inArray(tasks.status, predecessorsOf(move.to))))
        .returning();
      return row;
    },

    /** Makes room for entries that leave the status as it is; undefined unless the task is active. */
    advance: async (id: string, step: Omit<TaskMove, "to">, on: Queryable): Promise<TaskRow | undefined> => {
      const [row] = await on
        .update(tasks)
        .set({ ...step.changes, lastSeq: numbered(step.entries) })
        .where(and(eq(tasks.id, id), eq(tasks.status, "active")))
        .returning();
      return row;
    },

    /** Writes the entries that `row.lastSeq` has just made room for; the row's lock makes the numbers come without holes. */
    append: async (row: TaskRow, entries: readonly TaskEntry[], on: Queryable): Promise<TaskEvent[]> => {
      const first = row.lastSeq - entries.length + 1;
      const events = entries.map((entry, index) => ({ seq: first + index, ...entry }));
      await on.insert(taskEvents).values(events.map((event) => ({ taskId: row.id, ...event })));
      return events;
    },

    eventsAfter: async (id: string, seq: number, limit: number): Promise<TaskEvent[]> => {
      return db
        .select({ seq: taskEvents.seq, type: taskEvents.type, data: taskEvents.data })
        .from(taskEvents)
        .where(and(eq(taskEvents.taskId, id), gt(taskEvents.seq, seq)))
        .orderBy(asc(taskEvents.seq))
        .limit(limit);
    },
  };
}

function belongsTo({ ownerId, teamId }: Pick<TaskFilter, "ownerId" | "teamId">) {
  if (teamId !== undefined) return eq(tasks.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(tasks.ownerId, ownerId), isNull(tasks.teamId));
}
