import { and, desc, eq, gt, inArray, isNull, like, lt, notInArray, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { loginFailures, oneTimeTokens, passwordHistory, users } from "../../../../db/schema/auth.ts";
import type { UserRow } from "../store.ts";

export type PasswordStore = ReturnType<typeof createPasswordStore>;

/** How failures under one key turn into waiting. */
export interface LockoutRule {
  readonly freeFailures: number;
  /** The wait after the first failure beyond the free ones; it doubles from there. */
  readonly firstSeconds: number;
  readonly secondsMax: number;
  /** Without a failure for this long the count starts anew. */
  readonly forgetSeconds: number;
}

export interface FailureCounter {
  readonly key: string;
  readonly blockedUntil: Date | null;
}

export function createPasswordStore(db: Db) {
  return {
    /** Those of the keys that failures are counted under, with the blocks they have or had. */
    counters: (keys: readonly string[], on: Queryable = db): Promise<FailureCounter[]> =>
      on
        .select({ key: loginFailures.key, blockedUntil: loginFailures.blockedUntil })
        .from(loginFailures)
        .where(inArray(loginFailures.key, [...keys])),

    /**
     * One statement, so that failures at once are all counted. Undefined when the key was blocked already: then nothing is counted.
     */
    countFailure: async (
      key: string,
      { rule, at }: { readonly rule: LockoutRule; readonly at: Date },
      on: Queryable = db,
    ): Promise<{ readonly failures: number; readonly blockedUntil: Date | null } | undefined> => {
      const time = at.toISOString();
      const forgotten = sql`${loginFailures.lastFailedAt} < ${time}::timestamptz - ${rule.forgetSeconds} * interval '1 second'`;
      const failures = sql<number>`case when ${forgotten} then 1 else ${loginFailures.failures} + 1 end`;
      const seconds = sql`least(${rule.secondsMax}::float8, ${rule.firstSeconds} * power(2::float8, least((${failures}) - ${rule.freeFailures} - 1, 30)))`;
      const [row] = await on
        .insert(loginFailures)
        .values({ key, failures: 1, lastFailedAt: at, blockedUntil: null })
        .onConflictDoUpdate({
          target: loginFailures.key,
          set: {
            failures,
            lastFailedAt: at,
            blockedUntil: sql`case when (${failures}) > ${rule.freeFailures} then ${time}::timestamptz + ${seconds} * interval '1 second' end`,
          },
          setWhere: sql`${loginFailures.blockedUntil} is null or ${loginFailures.blockedUntil} <= ${time}`,
        })
        .returning({ failures: loginFailures.failures, blockedUntil: loginFailures.blockedUntil });
      return row;
    },

    forgetFailures: async (key: string, on: Queryable = db): Promise<void> => {
      await on.delete(loginFailures).where(eq(loginFailures.key, key));
    },

    /** Of the key and of all that have it and a space before them. What was counted stays. */
    endWaits: async (key: string, on: Queryable): Promise<void> => {
      await on
        .update(loginFailures)
        .set({ blockedUntil: null })
        .where(or(eq(loginFailures.key, key), sql`starts_with(${loginFailures.key}, ${`${key} `})`));
    },

    forgetFailuresUnder: async (prefix: string, on: Queryable): Promise<void> => {
      await on.delete(loginFailures).where(sql`starts_with(${loginFailures.key}, ${prefix})`);
    },

    /** Returns how many went. */
    deleteOldFailures: async (before: Date): Promise<number> => {
      const rows = await db.delete(loginFailures).where(lt(loginFailures.lastFailedAt, before)).returning({ key: loginFailures.key });
      return rows.length;
    },

    /** Undefined when the hash is not `was` any more. */
    changePassword: async (
      userId: string,
      change: { readonly was: string | null; readonly hash: string; readonly at: Date },
      on: Queryable,
    ): Promise<UserRow | undefined> => {
      const [row] = await on
        .update(users)
        .set({ passwordHash: change.hash, passwordChangedAt: change.at })
        .where(and(eq(users.id, userId), sql`${users.passwordHash} is not distinct from ${change.was}`))
        .returning();
      return row;
    },

    /** The same password in another hash; undefined when it was changed in the meantime. */
    replaceHash: async (userId: string, was: string, hash: string): Promise<UserRow | undefined> => {
      const [row] = await db
        .update(users)
        .set({ passwordHash: hash })
        .where(and(eq(users.id, userId), eq(users.passwordHash, was)))
        .returning();
      return row;
    },

    /** The newest first. */
    pastHashes: async (userId: string, limit: number): Promise<string[]> => {
      const rows = await db
        .select({ hash: passwordHistory.hash })
        .from(passwordHistory)
        .where(eq(passwordHistory.userId, userId))
        .orderBy(desc(passwordHistory.createdAt))
        .limit(limit);
      return rows.map(({ hash }) => hash);
    },

    /** Keeps the newest `keep`. */
    addPastHash: async (
      past: { readonly userId: string; readonly hash: string; readonly at: Date; readonly keep: number },
      on: Queryable,
    ) => {
      const { userId, hash, at, keep } = past;
      await on.insert(passwordHistory).values({ userId, hash, createdAt: at }).onConflictDoNothing();
      const kept = on
        .select({ hash: passwordHistory.hash })
        .from(passwordHistory)
        .where(eq(passwordHistory.userId, userId))
        .orderBy(desc(passwordHistory.createdAt))
        .limit(keep);
      await on.delete(passwordHistory).where(and(eq(passwordHistory.userId, userId), notInArray(passwordHistory.hash, kept)));
    },

    /** The hash of some imported account. */
    bcryptHash: async (): Promise<string | undefined> => {
      const [row] = await db.select({ hash: users.passwordHash }).from(users).where(like(users.passwordHash, "$2%")).limit(1);
      return row?.hash ?? undefined;
    },

    /** Held until the transaction ends; always before the rows of the user's tokens and sessions, which may be added meanwhile. */
    lockUser: async (userId: string, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on.select().from(users).where(eq(users.id, userId)).for("no key update");
      return row;
    },

    /** The account with its password as it was verified, held so until the transaction ends; undefined when it has been changed. */
    holdPassword: async (userId: string, hash: string | null, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on
        .select()
        .from(users)
        .where(and(eq(users.id, userId), sql`${users.passwordHash} is not distinct from ${hash}`))
        .for("no key update");
      return row;
    },

    /** Whose token it is, without taking it. Undefined when it is unknown, used or past its time. */
    ownerOfToken: async (token: { readonly hash: string; readonly purpose: string; readonly at: Date }, on: Queryable = db) => {
      const { hash, purpose, at } = token;
      const [row] = await on
        .select({ userId: oneTimeTokens.userId })
        .from(oneTimeTokens)
        .where(
          and(
            eq(oneTimeTokens.hash, hash),
            eq(oneTimeTokens.purpose, purpose),
            isNull(oneTimeTokens.usedAt),
            gt(oneTimeTokens.expiresAt, at),
          ),
        );
      return row?.userId ?? undefined;
    },

    setEmailVerified: async (userId: string, at: Date, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on.update(users).set({ emailVerifiedAt: at }).where(eq(users.id, userId)).returning();
      return row;
    },

    /** When the user was last sent a token of this purpose, used ones too. */
    lastIssuedAt: async (userId: string, purpose: string, on: Queryable): Promise<Date | undefined> => {
      const [row] = await on
        .select({ at: oneTimeTokens.createdAt })
        .from(oneTimeTokens)
        .where(and(eq(oneTimeTokens.userId, userId), eq(oneTimeTokens.purpose, purpose)))
        .orderBy(desc(oneTimeTokens.createdAt))
        .limit(1);
      return row?.at;
    },
  };
}
