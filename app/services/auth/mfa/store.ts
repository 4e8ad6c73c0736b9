import { and, eq, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { loginFailures, recoveryCodes, totpCredentials } from "../../../../db/schema/auth.ts";

export type TotpRow = typeof totpCredentials.$inferSelect;
export type MfaStore = ReturnType<typeof createMfaStore>;

export function createMfaStore(db: Db) {
  return {
    /** Undefined when none was begun; one that was begun counts once it is confirmed. */
    find: async (userId: string, on: Queryable = db): Promise<TotpRow | undefined> => {
      const [row] = await on.select().from(totpCredentials).where(eq(totpCredentials.userId, userId));
      return row;
    },

    /** Takes the place of one that was begun and not confirmed. False when one is confirmed. */
    begin: async (
      row: { readonly userId: string; readonly secret: Uint8Array; readonly createdAt: Date },
      on: Queryable,
    ): Promise<boolean> => {
      const rows = await on
        .insert(totpCredentials)
        .values(row)
        .onConflictDoUpdate({
          target: totpCredentials.userId,
          set: { secret: row.secret, createdAt: row.createdAt },
          setWhere: isNull(totpCredentials.confirmedAt),
        })
        .returning({ userId: totpCredentials.userId });
      return rows.length > 0;
    },

    /** False when it was confirmed already. */
    confirm: async (userId: string, at: { readonly step: number; readonly confirmedAt: Date }, on: Queryable): Promise<boolean> => {
      const rows = await on
        .update(totpCredentials)
        .set({ confirmedAt: at.confirmedAt, lastStep: at.step })
        .where(and(eq(totpCredentials.userId, userId), isNull(totpCredentials.confirmedAt)))
        .returning({ userId: totpCredentials.userId });
      return rows.length > 0;
    },

    /** One statement, so that of several that show one code exactly one gets true. */
    useStep: async (userId: string, step: number, on: Queryable): Promise<boolean> => {
      const rows = await on
        .update(totpCredentials)
        .set({ lastStep: step })
        .where(and(eq(totpCredentials.userId, userId), isNotNull(totpCredentials.confirmedAt), lt(totpCredentials.lastStep, step)))
        .returning({ userId: totpCredentials.userId });
      return rows.length > 0;
    },

    /** False when there was none. */
    remove: async (userId: string, on: Queryable): Promise<boolean> => {
      await on.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
      const rows = await on.delete(totpCredentials).where(eq(totpCredentials.userId, userId)).returning({ userId: totpCredentials.userId });
      return rows.length > 0;
    },

    replaceRecoveryCodes: async (userId: string, hashes: readonly string[], on: Queryable): Promise<void> => {
      await on.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
      await on.insert(recoveryCodes).values(hashes.map((hash) => ({ userId, hash })));
    },

    /** False for an unknown code, and for a used one. */
    useRecoveryCode: async (userId: string, code: { readonly hash: string; readonly usedAt: Date }, on: Queryable): Promise<boolean> => {
      const rows = await on
        .update(recoveryCodes)
        .set({ usedAt: code.usedAt })
        .where(and(eq(recoveryCodes.userId, userId), eq(recoveryCodes.hash, code.hash), isNull(recoveryCodes.usedAt)))
        .returning({ hash: recoveryCodes.hash });
      return rows.length > 0;
    },

    /** From all networks. */
    forgetFailures: async (userId: string, on: Queryable): Promise<void> => {
      const key = `mfa:${userId}`;
      await on.delete(loginFailures).where(or(eq(loginFailures.key, key), sql`starts_with(${loginFailures.key}, ${`${key} `})`));
    },
  };
}
