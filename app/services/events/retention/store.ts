import { inArray, sql } from "drizzle-orm";
import type { Db } from "../../../../db/client.ts";
import { eventSweeps, eventTypes } from "../../../../db/schema/events.ts";
import type { Cursor } from "../../../platform/bus/port.ts";

export type SweepStore = ReturnType<typeof createSweepStore>;

export function createSweepStore(db: Db) {
  return {
    find: async (names: readonly string[]): Promise<ReadonlyMap<string, Cursor>> => {
      const rows = await db
        .select()
        .from(eventSweeps)
        .where(inArray(eventSweeps.type, [...names]));
      return new Map(rows.map(({ type, through }) => [type, through]));
    },

    all: async (): Promise<ReadonlyMap<string, Cursor>> => {
      const rows = await db.select().from(eventSweeps);
      return new Map(rows.map(({ type, through }) => [type, through]));
    },

    put: async (throughs: ReadonlyMap<string, Cursor>): Promise<void> => {
      if (throughs.size === 0) return;
      await db
        .insert(eventSweeps)
        .values([...throughs].map(([type, through]) => ({ type, through })))
        .onConflictDoUpdate({ target: eventSweeps.type, set: { through: sql`excluded.through` } });
    },

    /** What was said of the registered types, each in its newest version. */
    rules: () =>
      db
        .selectDistinctOn([eventTypes.type], {
          type: eventTypes.type,
          retentionHours: eventTypes.retentionHours,
          lengthMax: eventTypes.lengthMax,
        })
        .from(eventTypes)
        .orderBy(eventTypes.type, sql`${eventTypes.version} desc`),
  };
}
