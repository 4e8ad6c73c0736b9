import { and, desc, eq, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { eventTypes } from "../../../../db/schema/events.ts";

export type EventTypeRow = typeof eventTypes.$inferSelect;
export type EventTypeStore = ReturnType<typeof createEventTypeStore>;

/** The first of two keys, so that this meets no other advisory lock. */
const typeLock = 7_165_105;

export function createEventTypeStore(db: Db) {
  return {
    /** The newest version of each. */
    list: (): Promise<EventTypeRow[]> =>
      db.selectDistinctOn([eventTypes.type]).from(eventTypes).orderBy(eventTypes.type, desc(eventTypes.version)),

    /** The newest version, or the one that is asked for. */
    find: async (type: string, version?: number, on: Queryable = db): Promise<EventTypeRow | undefined> => {
      const [row] = await on
        .select()
        .from(eventTypes)
        .where(and(eq(eventTypes.type, type), version === undefined ? undefined : eq(eventTypes.version, version)))
        .orderBy(desc(eventTypes.version))
        .limit(1);
      return row;
    },

    /** Held until the transaction ends, so that two don't make the same version. */
    lock: async (type: string, on: Queryable): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(${typeLock}, hashtext(${type}))`);
    },

    count: (on: Queryable): Promise<number> => on.$count(eventTypes),

    insert: async (row: typeof eventTypes.$inferInsert, on: Queryable): Promise<EventTypeRow> => {
      const [inserted] = await on.insert(eventTypes).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** Everything of the version but its schema can be changed without making another. */
    update: async (
      { type, version }: Pick<EventTypeRow, "type" | "version">,
      set: Pick<EventTypeRow, "description" | "audience" | "retentionHours" | "lengthMax">,
      on: Queryable,
    ): Promise<EventTypeRow> => {
      const [row] = await on
        .update(eventTypes)
        .set(set)
        .where(and(eq(eventTypes.type, type), eq(eventTypes.version, version)))
        .returning();
      if (!row) throw new Error("update returned no row");
      return row;
    },
  };
}
