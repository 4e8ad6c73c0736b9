import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { JWK } from "jose";
import type { Db, Queryable } from "../../../db/client.ts";
import { refreshTokens, sessions, setupTokens, signingKeys, users } from "../../../db/schema/auth.ts";

export type UserRow = typeof users.$inferSelect;
export type SessionRow = typeof sessions.$inferSelect;
export type AuthStore = ReturnType<typeof createAuthStore>;

export function createAuthStore(db: Db) {
  return {
    /** Undefined when the e-mail address is taken, in any spelling of upper and lower case. */
    insertUser: async (row: typeof users.$inferInsert, on: Queryable = db): Promise<UserRow | undefined> => {
      const [inserted] = await on.insert(users).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    findUserByEmail: async (email: string): Promise<UserRow | undefined> => {
      const [row] = await db
        .select()
        .from(users)
        .where(eq(sql`lower(${users.email})`, email.toLowerCase()));
      return row;
    },

    findUser: async (id: string, on: Queryable = db): Promise<UserRow | undefined> => {
      const [row] = await on.select().from(users).where(eq(users.id, id));
      return row;
    },

    hasAdmin: async (on: Queryable = db): Promise<boolean> => {
      const rows = await on.select({ id: users.id }).from(users).where(eq(users.role, "admin")).limit(1);
      return rows.length > 0;
    },

    insertSession: async (row: typeof sessions.$inferInsert, on: Queryable): Promise<SessionRow> => {
      const [inserted] = await on.insert(sessions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    findLiveSession: async (id: string, on: Queryable = db): Promise<SessionRow | undefined> => {
      const [row] = await on
        .select()
        .from(sessions)
        .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)));
      return row;
    },

    touchSession: async (id: string, lastSeenAt: Date, on: Queryable): Promise<void> => {
      await on.update(sessions).set({ lastSeenAt }).where(eq(sessions.id, id));
    },

    /** Undefined when it was revoked already. */
    revokeSession: async (id: string, revokedAt: Date, on: Queryable): Promise<SessionRow | undefined> => {
      const [row] = await on
        .update(sessions)
        .set({ revokedAt })
        .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)))
        .returning();
      return row;
    },

    insertRefreshToken: async (row: typeof refreshTokens.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(refreshTokens).values(row);
    },

    findRefreshToken: async (hash: string, on: Queryable) => {
      const [row] = await on.select().from(refreshTokens).where(eq(refreshTokens.hash, hash)).for("update");
      return row;
    },

    useRefreshToken: async (hash: string, usedAt: Date, on: Queryable): Promise<void> => {
      await on.update(refreshTokens).set({ usedAt }).where(eq(refreshTokens.hash, hash));
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

    addSigningKey: async (kid: string, publicJwk: JWK): Promise<void> => {
      await db.insert(signingKeys).values({ kid, publicJwk }).onConflictDoNothing();
    },

    signingKeys: async (): Promise<JWK[]> => {
      const rows = await db.select({ publicJwk: signingKeys.publicJwk }).from(signingKeys).orderBy(asc(signingKeys.createdAt));
      return rows.map((row) => row.publicJwk);
    },
  };
}
