import { and, asc, eq } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { identities, passkeys } from "../../../../db/schema/auth.ts";

export type PasskeyRow = typeof passkeys.$inferSelect;
export type PasskeyStore = ReturnType<typeof createPasskeyStore>;

export function createPasskeyStore(db: Db) {
  return {
    /** Undefined when the credential is registered already, by whomever. */
    insert: async (row: typeof passkeys.$inferInsert, on: Queryable): Promise<PasskeyRow | undefined> => {
      const [inserted] = await on.insert(passkeys).values(row).onConflictDoNothing({ target: passkeys.credentialId }).returning();
      return inserted;
    },

    findByCredential: async (credentialId: string): Promise<PasskeyRow | undefined> => {
      const [row] = await db.select().from(passkeys).where(eq(passkeys.credentialId, credentialId));
      return row;
    },

    /** The oldest first. */
    ofUser: (userId: string, on: Queryable = db): Promise<PasskeyRow[]> =>
      on.select().from(passkeys).where(eq(passkeys.userId, userId)).orderBy(asc(passkeys.id)),

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<PasskeyRow | undefined> => {
      const [row] = await on.select().from(passkeys).where(eq(passkeys.id, id)).for("update");
      return row;
    },

    use: async (
      id: string,
      used: { readonly counter: number; readonly backedUp: boolean; readonly lastUsedAt: Date },
      on: Queryable,
    ): Promise<void> => {
      await on.update(passkeys).set(used).where(eq(passkeys.id, id));
    },

    /** False when there was none of that user. */
    deleteOfUser: async (userId: string, id: string, on: Queryable): Promise<boolean> => {
      const rows = await on
        .delete(passkeys)
        .where(and(eq(passkeys.userId, userId), eq(passkeys.id, id)))
        .returning({ id: passkeys.id });
      return rows.length > 0;
    },

    hasIdentity: async (userId: string, on: Queryable): Promise<boolean> => {
      const rows = await on.select({ subject: identities.subject }).from(identities).where(eq(identities.userId, userId)).limit(1);
      return rows.length > 0;
    },
  };
}
