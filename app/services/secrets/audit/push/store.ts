import { sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../../db/client.ts";
import { auditPush } from "../../../../../db/schema/audit.ts";

export type PushStore = ReturnType<typeof createPushStore>;
type PushState = Omit<typeof auditPush.$inferSelect, "onlyRow">;

export function createPushStore(db: Db) {
  return {
    state: async (): Promise<PushState> => {
      const [row] = await db.select().from(auditPush);
      return row ?? { seq: 0, failingSince: null, toldAt: null };
    },

    /** Never back: another copy may have come further. */
    pushed: async (seq: number): Promise<void> => {
      await db.update(auditPush).set({ seq: sql`greatest(${auditPush.seq}, ${seq})`, failingSince: null, toldAt: null });
    },

    /** Since when it fails. */
    failed: async (at: Date): Promise<PushState> => {
      const [row] = await db
        .update(auditPush)
        .set({ failingSince: sql`coalesce(${auditPush.failingSince}, ${at.toISOString()}::timestamptz)` })
        .returning();
      return row ?? { seq: 0, failingSince: at, toldAt: null };
    },

    told: async (at: Date, on: Queryable): Promise<void> => {
      await on.update(auditPush).set({ toldAt: at });
    },
  };
}
