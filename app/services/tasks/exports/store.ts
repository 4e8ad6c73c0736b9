import { and, asc, desc, eq, getTableColumns, gt, isNull, lte, notInArray, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { dataExports, tasks } from "../../../../db/schema/tasks.ts";

/** A document may have megabytes. */
const { document: _document, ...columns } = getTableColumns(dataExports);
const withTask = { ...columns, status: tasks.status, error: tasks.error };

export type ExportStore = ReturnType<typeof createExportStore>;
export type ExportRow = NonNullable<Awaited<ReturnType<ExportStore["find"]>>>;

export interface Finished {
  readonly document: Uint8Array;
  readonly bytes: number;
  readonly finishedAt: Date;
  readonly expiresAt: Date;
}

export function createExportStore(db: Db) {
  const live = gt(dataExports.expiresAt, sql`now()`);
  return {
    insert: async (row: typeof dataExports.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(dataExports).values(row);
    },

    find: async (id: string, on: Queryable = db) => {
      const [row] = await on
        .select(withTask)
        .from(dataExports)
        .leftJoin(tasks, eq(tasks.id, dataExports.taskId))
        .where(and(eq(dataExports.id, id), live));
      return row;
    },

    findByTask: async (taskId: string, on: Queryable): Promise<string | undefined> => {
      const [row] = await on.select({ id: dataExports.id }).from(dataExports).where(eq(dataExports.taskId, taskId));
      return row?.id;
    },

    /** Undefined until it is written. */
    document: async (id: string, on: Queryable): Promise<Uint8Array | undefined> => {
      const [row] = await on
        .select({ document: dataExports.document })
        .from(dataExports)
        .where(and(eq(dataExports.id, id), live));
      return row?.document ?? undefined;
    },

    /** False when it is gone, or another attempt has written it. */
    finish: async (id: string, set: Finished): Promise<boolean> => {
      const rows = await db
        .update(dataExports)
        .set(set)
        .where(and(eq(dataExports.id, id), isNull(dataExports.finishedAt)))
        .returning({ id: dataExports.id });
      return rows.length > 0;
    },

    /** All but the newest `count` of an owner go. */
    keepNewest: async (ownerId: string, count: number, on: Queryable): Promise<void> => {
      const newest = on
        .select({ id: dataExports.id })
        .from(dataExports)
        .where(eq(dataExports.ownerId, ownerId))
        .orderBy(desc(dataExports.id))
        .limit(count);
      await on.delete(dataExports).where(and(eq(dataExports.ownerId, ownerId), notInArray(dataExports.id, newest)));
    },

    ownedBy: (ownerId: string) => db.select(columns).from(dataExports).where(eq(dataExports.ownerId, ownerId)).orderBy(asc(dataExports.id)),

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on.delete(dataExports).where(eq(dataExports.ownerId, ownerId));
    },

    /** Returns how many went. */
    purgeExpired: async (): Promise<number> => {
      const rows = await db.delete(dataExports).where(lte(dataExports.expiresAt, sql`now()`)).returning({ id: dataExports.id });
      return rows.length;
    },
  };
}
