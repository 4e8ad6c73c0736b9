import { and, asc, desc, eq, inArray, isNull, ne, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { type AuthenticationMethod, refreshTokens, revocations, sessions, sessionUsers, users } from "../../../../db/schema/auth.ts";
import type { UserRow } from "../store.ts";

export type SessionRow = typeof sessions.$inferSelect;
export type SessionStore = ReturnType<typeof createSessionStore>;

export interface SessionMember {
  readonly user: UserRow;
  readonly methods: readonly AuthenticationMethod[];
  readonly authenticatedAt: Date;
}

export function createSessionStore(db: Db) {
  /** Every change of authority leaves this behind for all copies. */
  const refuse = async (sessionId: string, minVersion: number | null, on: Queryable) => {
    await on.insert(revocations).values({ sessionId, minVersion, at: sql`clock_timestamp()` });
  };

  return {
    insert: async (row: typeof sessions.$inferInsert, methods: readonly AuthenticationMethod[], on: Queryable): Promise<SessionRow> => {
      const [inserted] = await on.insert(sessions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      await on
        .insert(sessionUsers)
        .values({ sessionId: inserted.id, userId: inserted.activeUserId, methods, authenticatedAt: inserted.createdAt });
      return inserted;
    },

    findLive: async (id: string, on: Queryable = db): Promise<SessionRow | undefined> => {
      const [row] = await on
        .select()
        .from(sessions)
        .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)));
      return row;
    },

    /** Held until the transaction ends, so that two changes of one session come one after the other. */
    lockLive: async (id: string, on: Queryable): Promise<SessionRow | undefined> => {
      const [row] = await on
        .select()
        .from(sessions)
        .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)))
        .for("update");
      return row;
    },

    /** In the order in which they came into the session. */
    members: (sessionId: string, on: Queryable = db): Promise<SessionMember[]> =>
      on
        .select({ user: users, methods: sessionUsers.methods, authenticatedAt: sessionUsers.authenticatedAt })
        .from(sessionUsers)
        .innerJoin(users, eq(users.id, sessionUsers.userId))
        .where(eq(sessionUsers.sessionId, sessionId))
        .orderBy(asc(sessionUsers.authenticatedAt), asc(users.id)),

    /** All live sessions that the user is in; the last used first. */
    liveOf: async (userId: string, on: Queryable = db): Promise<SessionRow[]> => {
      const rows = await on
        .select({ session: sessions })
        .from(sessionUsers)
        .innerJoin(sessions, eq(sessions.id, sessionUsers.sessionId))
        .where(and(eq(sessionUsers.userId, userId), isNull(sessions.revokedAt)))
        .orderBy(desc(sessions.lastSeenAt), desc(sessions.id));
      return rows.map(({ session }) => session);
    },

    /** Until the transaction ends, log-ins of one user come one after the other: each counts the sessions of those before. */
    lockUser: async (userId: string, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on.select().from(users).where(eq(users.id, userId)).for("no key update");
      return row;
    },

    /** Where the user was seen before: the most recent sessions, ended ones too. */
    pastOf: (userId: string, limit: number, on: Queryable) =>
      on
        .select({ device: sessions.device, ip: sessions.ip, createdAt: sessions.createdAt })
        .from(sessionUsers)
        .innerJoin(sessions, eq(sessions.id, sessionUsers.sessionId))
        .where(eq(sessionUsers.userId, userId))
        .orderBy(desc(sessions.createdAt))
        .limit(limit),

    /** Undefined when it was revoked already. */
    revoke: async (id: string, how: { readonly at: Date; readonly reason: string }, on: Queryable): Promise<SessionRow | undefined> => {
      const [row] = await on
        .update(sessions)
        .set({ revokedAt: how.at, revokedReason: how.reason })
        .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)))
        .returning();
      if (row) await refuse(id, null, on);
      return row;
    },

    /** A new version of the session, perhaps with another active user: access tokens of earlier versions are refused. */
    change: async (id: string, activeUserId: string, on: Queryable): Promise<SessionRow> => {
      const [row] = await on
        .update(sessions)
        .set({ activeUserId, version: sql`${sessions.version} + 1` })
        .where(eq(sessions.id, id))
        .returning();
      if (!row) throw new Error(`there is no session ${id}`);
      await refuse(id, row.version, on);
      return row;
    },

    addMember: async (row: typeof sessionUsers.$inferInsert, on: Queryable): Promise<void> => {
      await on
        .insert(sessionUsers)
        .values(row)
        .onConflictDoUpdate({
          target: [sessionUsers.sessionId, sessionUsers.userId],
          set: { methods: row.methods, authenticatedAt: row.authenticatedAt ?? sql`now()` },
        });
    },

    removeMember: async (sessionId: string, userId: string, on: Queryable): Promise<void> => {
      await on.delete(sessionUsers).where(and(eq(sessionUsers.sessionId, sessionId), eq(sessionUsers.userId, userId)));
    },

    insertRefreshToken: async (row: typeof refreshTokens.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(refreshTokens).values(row);
    },

    /** What was fresh but for the next one counts as used from now on. Hold the session, as an exchange does. */
    supersedeRefreshTokens: async (
      sessionId: string,
      by: { readonly at: Date; readonly answer: Uint8Array; readonly nextHash: string },
      on: Queryable,
    ): Promise<void> => {
      await on
        .update(refreshTokens)
        .set({ usedAt: by.at, answer: by.answer })
        .where(and(eq(refreshTokens.sessionId, sessionId), isNull(refreshTokens.usedAt), ne(refreshTokens.hash, by.nextHash)));
    },

    memberIds: async (sessionId: string, on: Queryable = db): Promise<string[]> => {
      const rows = await on
        .select({ id: sessionUsers.userId })
        .from(sessionUsers)
        .where(eq(sessionUsers.sessionId, sessionId))
        .orderBy(asc(sessionUsers.authenticatedAt), asc(sessionUsers.userId));
      return rows.map(({ id }) => id);
    },

    /** Moves `lastSeenAt` forward, for many sessions at once. */
    touch: async (seen: readonly { readonly id: string; readonly at: Date }[]): Promise<void> => {
      const list = JSON.stringify(seen.map(({ id, at }) => ({ id, at: at.toISOString() })));
      await db.execute(sql`
        update sessions set last_seen_at = seen.at
        from json_to_recordset(${list}::json) as seen (id text, at timestamptz)
        where sessions.id = seen.id and sessions.last_seen_at < seen.at and sessions.revoked_at is null`);
    },

    /** Live sessions that nobody has used since. */
    idleSince: async (moment: Date, limit: number): Promise<string[]> => {
      const rows = await db
        .select({ id: sessions.id })
        .from(sessions)
        .where(and(isNull(sessions.revokedAt), sql`${sessions.lastSeenAt} < ${moment.toISOString()}`))
        .limit(limit);
      return rows.map(({ id }) => id);
    },

    /** Expired tokens, and the used ones of sessions that have ended. Returns how many went. */
    deleteOldRefreshTokens: async (now: Date): Promise<number> => {
      const at = now.toISOString();
      const rows = await db.execute(sql`
        delete from refresh_tokens where expires_at < ${at}
          or (used_at is not null and session_id in (select id from sessions where revoked_at is not null))
        returning 1`);
      return rows.length;
    },

    otherLiveOf: async (userId: string, exceptId: string | undefined, on: Queryable): Promise<string[]> => {
      const rows = await on
        .select({ id: sessions.id })
        .from(sessionUsers)
        .innerJoin(sessions, eq(sessions.id, sessionUsers.sessionId))
        .where(and(eq(sessionUsers.userId, userId), isNull(sessions.revokedAt), exceptId ? ne(sessions.id, exceptId) : undefined));
      return rows.map(({ id }) => id);
    },

    usersById: (ids: readonly string[], on: Queryable = db): Promise<UserRow[]> =>
      on
        .select()
        .from(users)
        .where(inArray(users.id, [...ids])),
  };
}
