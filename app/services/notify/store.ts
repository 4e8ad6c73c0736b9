import { desc, lt } from "drizzle-orm";
import type { Db } from "../../../db/client.ts";
import { developmentMails } from "../../../db/schema/notify.ts";

export type DevelopmentMailRow = typeof developmentMails.$inferSelect;
export type NotifyStore = ReturnType<typeof createNotifyStore>;

export function createNotifyStore(db: Db) {
  return {
    /** A mail that is there already stays as it is. */
    insertDevelopmentMail: async (row: typeof developmentMails.$inferInsert): Promise<void> => {
      await db.insert(developmentMails).values(row).onConflictDoNothing();
    },

    /** The newest first. */
    developmentMails: (limit: number): Promise<DevelopmentMailRow[]> =>
      db.select().from(developmentMails).orderBy(desc(developmentMails.createdAt), desc(developmentMails.id)).limit(limit),

    /** Returns how many went. */
    deleteDevelopmentMails: async (before: Date): Promise<number> => {
      const rows = await db.delete(developmentMails).where(lt(developmentMails.createdAt, before)).returning({ id: developmentMails.id });
      return rows.length;
    },
  };
}
