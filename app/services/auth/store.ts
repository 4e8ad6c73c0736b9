import { and, asc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import { advisoryLocks } from "../../../db/advisory-locks.ts";
import type { Db, Queryable } from "../../../db/client.ts";
import { oneTimeTokens, setupTokens, users } from "../../../db/schema/auth.ts";

export type UserRow = typeof users.$inferSelect;
export type OneTimeTokenRow = typeof oneTimeTokens.$inferSelect;
export type AuthStore = ReturnType<typeof createAuthStore>;

/** What all parts of the service share: the accounts, and tokens that work once. */
export function createAuthStore(db: Db) {
  return {
    /** Undefined when the e-mail address is taken, in any spelling of upper and lower case. */
    insertUser: async (row: typeof users.$inferInsert, on: Queryable = db): Promise<UserRow | undefined> => {
      const [inserted] = await on.insert(users).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    findUserByEmail: async (email: string, on: Queryable = db): Promise<UserRow | undefined> => {
      const [row] = await on
        .select()
        .from(users)
        .where(eq(sql`lower(${users.email})`, email.toLowerCase()));
      return row;
    },

    findUser: async (id: string, on: Queryable = db): Promise<UserRow | undefined> => {
      const [row] = await on.select().from(users).where(eq(users.id, id));
      return row;
    },

    updateUser: async (id: string, set: Partial<typeof users.$inferInsert>, on: Queryable = db): Promise<UserRow | undefined> => {
      const [row] = await on.update(users).set(set).where(eq(users.id, id)).returning();
      return row;
    },

    hasAdmin: async (on: Queryable = db): Promise<boolean> => {
      const rows = await on.select({ id: users.id }).from(users).where(eq(users.role, "admin")).limit(1);
      return rows.length > 0;
    },

    /** Until the transaction ends nobody else makes the first administrator. */
    lockSetup: async (on: Queryable): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.setup})`);
    },

    /** Replaces any unused set-up token: only the newest link works. */
    replaceSetupToken: async (hash: string): Promise<void> => {
      await db.transaction(async (tx) => {
        await tx.delete(setupTokens).where(isNull(setupTokens.usedAt));
        await tx.insert(setupTokens).values({ hash });
      });
    },

    hasSetupToken: async (): Promise<boolean> => {
      const rows = await db.select({ hash: setupTokens.hash }).from(setupTokens).limit(1);
      return rows.length > 0;
    },

    /** False when there is no such token or it was used. */
    useSetupToken: async (hash: string, usedAt: Date, on: Queryable): Promise<boolean> => {
      const rows = await on
        .update(setupTokens)
        .set({ usedAt })
        .where(and(eq(setupTokens.hash, hash), isNull(setupTokens.usedAt)))
        .returning({ hash: setupTokens.hash });
      return rows.length > 0;
    },

    insertOneTimeToken: async (row: typeof oneTimeTokens.$inferInsert, on: Queryable = db): Promise<void> => {
      await on.insert(oneTimeTokens).values(row);
    },

    /** Held until the transaction ends. Undefined when it is unknown, used or past its time. */
    lockOneTimeToken: async (
      token: { readonly hash: string; readonly purpose: string; readonly at: Date },
      on: Queryable,
    ): Promise<OneTimeTokenRow | undefined> => {
      const [row] = await on
        .select()
        .from(oneTimeTokens)
        .where(
          and(
            eq(oneTimeTokens.hash, token.hash),
            eq(oneTimeTokens.purpose, token.purpose),
            isNull(oneTimeTokens.usedAt),
            gt(oneTimeTokens.expiresAt, token.at),
          ),
        )
        .for("update");
      return row;
    },

    useOneTimeToken: async (hash: string, usedAt: Date, on: Queryable): Promise<void> => {
      await on.update(oneTimeTokens).set({ usedAt }).where(eq(oneTimeTokens.hash, hash));
    },

    /** The unused ones of this purpose, so that only the newest works. */
    deleteOneTimeTokens: async (userId: string, purpose: string, on: Queryable): Promise<void> => {
      await on
        .delete(oneTimeTokens)
        .where(and(eq(oneTimeTokens.userId, userId), eq(oneTimeTokens.purpose, purpose), isNull(oneTimeTokens.usedAt)));
    },

    /** Returns how many went. */
    deleteExpiredOneTimeTokens: async (before: Date): Promise<number> => {
      const rows = await db.delete(oneTimeTokens).where(lt(oneTimeTokens.expiresAt, before)).returning({ hash: oneTimeTokens.hash });
      return rows.length;
    },

    /** In the order they signed up, which is that of their ids. */
    listUsers: (page: { readonly limit: number; readonly after?: string }): Promise<UserRow[]> =>
      db
        .select()
        .from(users)
        .where(page.after ? gt(users.id, page.after) : undefined)
        .orderBy(asc(users.id))
        .limit(page.limit),

    /** Held until the transaction ends. */
    lockUser: async (id: string, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on.select().from(users).where(eq(users.id, id)).for("update");
      return row;
    },

    /** Held until the transaction ends, and taken before any other user is locked: of two that each take away one of the last two, the second sees it. */
    lockActiveAdmins: async (on: Queryable): Promise<string[]> => {
      const rows = await on
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.role, "admin"), isNull(users.disabledAt)))
        .orderBy(asc(users.id))
        .for("update");
      return rows.map(({ id }) => id);
    },

    /** Whatever belongs to the user by a foreign key goes too. */
    deleteUser: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(users).where(eq(users.id, id));
    },
  };
}
