import { and, asc, eq, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import type { JWK } from "jose";
import { advisoryLocks } from "../../../../db/advisory-locks.ts";
import type { Db, Queryable } from "../../../../db/client.ts";
import { apiKeys, revocations, sessions, signingKeys, teamMembers, users } from "../../../../db/schema/auth.ts";
import type { SigningAlgorithm } from "./signing-key.ts";

export type TokenStore = ReturnType<typeof createTokenStore>;

export interface SigningKeyRow {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: JWK;
  readonly privateKey: Uint8Array | null;
  readonly createdAt: Date;
  readonly signsFrom: Date;
}

export interface Revocation {
  /** Or the id of an API key. */
  readonly sessionId: string;
  /** Tokens of lower versions are refused; null: all of the session's. */
  readonly minVersion: number | null;
}

export interface RevocationPage {
  readonly revocations: readonly Revocation[];
  /** Where the next look goes on. */
  readonly next: string | undefined;
}

/** Copies that find the key due at the same time wait for each other here. */

export function createTokenStore(db: Db) {
  const liveKeyVersion = async (id: string): Promise<number | undefined> => {
    const [row] = await db
      .select({ version: apiKeys.version })
      .from(apiKeys)
      .innerJoin(users, eq(users.id, apiKeys.ownerId))
      .leftJoin(teamMembers, and(eq(teamMembers.teamId, apiKeys.teamId), eq(teamMembers.userId, apiKeys.ownerId)))
      .where(
        and(
          eq(apiKeys.id, id),
          isNull(apiKeys.revokedAt),
          isNull(users.disabledAt),
          or(isNull(apiKeys.teamId), isNotNull(teamMembers.userId)),
        ),
      );
    return row?.version;
  };

  return {
    /** Runs `work` while no other copy does. */
    rotating: <T>(work: (on: Queryable) => Promise<T>): Promise<T> =>
      db.transaction(async (tx) => {
        await tx.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.signingKeyRotation})`);
        return work(tx);
      }),

    insertSigningKey: async (row: SigningKeyRow, on: Queryable = db): Promise<void> => {
      await on.insert(signingKeys).values(row);
    },

    signingKeys: async (on: Queryable = db): Promise<SigningKeyRow[]> => {
      const rows = await on.select().from(signingKeys).orderBy(asc(signingKeys.createdAt));
      return rows.map((row) => ({ ...row, algorithm: asAlgorithm(row.algorithm) }));
    },

    /** Returns how many went. */
    deleteSigningKeys: async (olderThan: Date): Promise<number> => {
      const rows = await db.delete(signingKeys).where(lt(signingKeys.createdAt, olderThan)).returning({ kid: signingKeys.kid });
      return rows.length;
    },

    /**
     * Those that had not been committed at the look that gave `from`, and a few that had; all that are kept without one. One statement, hence one
     * snapshot: whatever is older than the oldest transaction that is under way in it can be seen in it.
     */
    revocationsSince: async (from: string | undefined): Promise<RevocationPage> => {
      const rows = await db.execute<{ next: string; session_id: string | null; min_version: number | null }>(sql`
        select pg_snapshot_xmin(pg_current_snapshot())::text as next, page.session_id, page.min_version
        from (values (true)) as always left join (
          select session_id, min_version from revocations where xact >= ${from ?? "0"}::text::xid8
        ) as page on true`);
      return {
        next: rows[0]?.next,
        revocations: rows.flatMap(({ session_id: sessionId, min_version: minVersion }) =>
          sessionId === null ? [] : [{ sessionId, minVersion }],
        ),
      };
    },

    /** Of a session or an API key; undefined for one that has ended or is good for nothing now. */
    liveVersion: async (id: string): Promise<number | undefined> => {
      if (id.startsWith("key_")) return liveKeyVersion(id);
      const [row] = await db
        .select({ version: sessions.version })
        .from(sessions)
        .where(and(eq(sessions.id, id), sql`${sessions.revokedAt} is null`));
      return row?.version;
    },

    /** Returns how many went. */
    deleteRevocations: async (olderThanSeconds: number): Promise<number> => {
      const rows = await db
        .delete(revocations)
        .where(lt(revocations.at, sql`clock_timestamp() - make_interval(secs => ${olderThanSeconds})`))
        .returning({ id: revocations.id });
      return rows.length;
    },
  };
}

/** The column is written by `insertSigningKey` alone. */
function asAlgorithm(text: string): SigningAlgorithm {
  return text as SigningAlgorithm;
}
