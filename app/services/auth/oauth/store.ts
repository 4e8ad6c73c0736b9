import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { identities, oneTimeTokens, passkeys, users } from "../../../../db/schema/auth.ts";
import type { UserRow } from "../store.ts";

export type IdentityRow = typeof identities.$inferSelect;
export type IdentityStore = ReturnType<typeof createIdentityStore>;

/** An account at a provider. */
export interface IdentityKey {
  readonly provider: string;
  readonly subject: string;
}

export function createIdentityStore(db: Db) {
  return {
    /** Until the transaction ends nobody else decides about this identity, also while it is not there yet. */
    lock: async ({ provider, subject }: IdentityKey, on: Queryable): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`identity ${provider} ${subject}`}, 0))`);
    },

    find: async (
      { provider, subject }: IdentityKey,
      on: Queryable,
    ): Promise<{ readonly identity: IdentityRow; readonly user: UserRow } | undefined> => {
      const [row] = await on
        .select({ identity: identities, user: users })
        .from(identities)
        .innerJoin(users, eq(users.id, identities.userId))
        .where(and(eq(identities.provider, provider), eq(identities.subject, subject)));
      return row;
    },

    insert: async (row: typeof identities.$inferInsert, on: Queryable): Promise<IdentityRow> => {
      const [inserted] = await on.insert(identities).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** The oldest first. */
    ofUser: (userId: string, on: Queryable = db): Promise<IdentityRow[]> =>
      on.select().from(identities).where(eq(identities.userId, userId)).orderBy(asc(identities.createdAt), asc(identities.subject)),

    deleteOfUser: async (userId: string, provider: string, on: Queryable): Promise<void> => {
      await on.delete(identities).where(and(eq(identities.userId, userId), eq(identities.provider, provider)));
    },

    hasPasskey: async (userId: string, on: Queryable): Promise<boolean> => {
      const rows = await on.select({ id: passkeys.id }).from(passkeys).where(eq(passkeys.userId, userId)).limit(1);
      return rows.length > 0;
    },

    /** Gives an unused token a life of so many seconds since it was made. */
    prolongToken: async (token: { readonly hash: string; readonly purpose: string; readonly lifetimeSeconds: number }): Promise<void> => {
      await db
        .update(oneTimeTokens)
        .set({ expiresAt: sql`${oneTimeTokens.createdAt} + make_interval(secs => ${token.lifetimeSeconds})` })
        .where(and(eq(oneTimeTokens.hash, token.hash), eq(oneTimeTokens.purpose, token.purpose), isNull(oneTimeTokens.usedAt)));
    },
  };
}
