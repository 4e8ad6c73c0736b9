import { and, asc, eq, gt, isNull, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { apiKeys, revocations, teamMembers, users } from "../../../../db/schema/auth.ts";

export type ApiKeyRow = typeof apiKeys.$inferSelect;
export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/** Whose keys: a person's own, or a team's, perhaps only those that one member made. */
export type KeyHolder = { readonly ownerId: string } | { readonly teamId: string; readonly madeBy?: string };

/** A key with all that says whether and for what it is good. */
export interface UsableKey {
  readonly key: ApiKeyRow;
  readonly owner: Pick<typeof users.$inferSelect, "role" | "disabledAt">;
  /** Undefined when the owner is not, or no longer, in the team of the key. */
  readonly memberId: string | null;
}

export interface Spent {
  readonly ownerId: string;
  readonly creditsUsed: number;
  readonly creditLimitSoft: number | null;
  /** This spending went beyond the soft limit; the ones before had not. */
  readonly crossedSoft: boolean;
}

export function createApiKeyStore(db: Db) {
  const refuse = async (keyId: string, minVersion: number | null, on: Queryable) => {
    await on.insert(revocations).values({ sessionId: keyId, minVersion, at: sql`clock_timestamp()` });
  };
  const live = (id: string) => and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt));
  const heldBy = (holder: KeyHolder) =>
    "ownerId" in holder
      ? and(eq(apiKeys.ownerId, holder.ownerId), isNull(apiKeys.teamId))
      : and(eq(apiKeys.teamId, holder.teamId), holder.madeBy ? eq(apiKeys.ownerId, holder.madeBy) : undefined);

  return {
    insert: async (row: typeof apiKeys.$inferInsert, on: Queryable): Promise<ApiKeyRow> => {
      const [inserted] = await on.insert(apiKeys).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** How many keys the user has made that still work. The user is held until the transaction ends, so that two mintings can't both be the last. */
    lockAndCount: async (ownerId: string, at: Date, on: Queryable): Promise<number> => {
      await on.select({ id: users.id }).from(users).where(eq(users.id, ownerId)).for("no key update");
      return on.$count(
        apiKeys,
        and(eq(apiKeys.ownerId, ownerId), isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, at))),
      );
    },

    find: async (id: string): Promise<ApiKeyRow | undefined> => {
      const [row] = await db.select().from(apiKeys).where(live(id));
      return row;
    },

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<ApiKeyRow | undefined> => {
      const [row] = await on.select().from(apiKeys).where(live(id)).for("update");
      return row;
    },

    /** In the order they were made. */
    list: (holder: KeyHolder, page: { readonly after?: string | undefined; readonly limit: number }): Promise<ApiKeyRow[]> =>
      db
        .select()
        .from(apiKeys)
        .where(and(heldBy(holder), isNull(apiKeys.revokedAt), page.after ? gt(apiKeys.id, page.after) : undefined))
        .orderBy(asc(apiKeys.id))
        .limit(page.limit),

    liveIdsOf: async (holder: KeyHolder, on: Queryable): Promise<string[]> => {
      const rows = await on
        .select({ id: apiKeys.id })
        .from(apiKeys)
        .where(and(heldBy(holder), isNull(apiKeys.revokedAt)));
      return rows.map(({ id }) => id);
    },

    /** All that the user has made, the teams' too. */
    liveIdsMadeBy: async (ownerId: string, on: Queryable): Promise<string[]> => {
      const rows = await on
        .select({ id: apiKeys.id })
        .from(apiKeys)
        .where(and(eq(apiKeys.ownerId, ownerId), isNull(apiKeys.revokedAt)));
      return rows.map(({ id }) => id);
    },

    /** A new version of the key: what copies know of earlier ones is refused. Undefined when it is revoked. */
    change: async (id: string, set: Partial<typeof apiKeys.$inferInsert>, on: Queryable): Promise<ApiKeyRow | undefined> => {
      const [row] = await on
        .update(apiKeys)
        .set({ ...set, version: sql`${apiKeys.version} + 1` })
        .where(live(id))
        .returning();
      if (row) await refuse(id, row.version, on);
      return row;
    },

    /** Undefined when it was revoked already. */
    revoke: async (id: string, at: Date, on: Queryable): Promise<ApiKeyRow | undefined> => {
      const [row] = await on.update(apiKeys).set({ revokedAt: at }).where(live(id)).returning();
      if (row) await refuse(id, null, on);
      return row;
    },

    findUsable: async (id: string): Promise<UsableKey | undefined> => {
      const [row] = await db
        .select({ key: apiKeys, owner: { role: users.role, disabledAt: users.disabledAt }, memberId: teamMembers.userId })
        .from(apiKeys)
        .innerJoin(users, eq(users.id, apiKeys.ownerId))
        .leftJoin(teamMembers, and(eq(teamMembers.teamId, apiKeys.teamId), eq(teamMembers.userId, apiKeys.ownerId)))
        .where(live(id));
      return row;
    },

    /** Undefined when there is such a key, or was one. */
    insertImported: async (row: typeof apiKeys.$inferInsert, on: Queryable): Promise<ApiKeyRow | undefined> => {
      const [inserted] = await on.insert(apiKeys).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    /** The same secret in another hash, as the present one or that from before the last rotation; nothing when neither is `from` any more. */
    replaceHash: async (id: string, from: string, to: string): Promise<void> => {
      const { secretHash, previousHash } = apiKeys;
      await db
        .update(apiKeys)
        .set({
          secretHash: sql`case when ${secretHash} = ${from} then ${to} else ${secretHash} end`,
          previousHash: sql`case when ${previousHash} = ${from} then ${to} else ${previousHash} end`,
        })
        .where(and(eq(apiKeys.id, id), or(eq(secretHash, from), eq(previousHash, from))));
    },

    /** Moves `lastUsedAt` forward, for many keys at once. */
    touch: async (seen: readonly { readonly id: string; readonly at: Date }[]): Promise<void> => {
      const list = JSON.stringify(seen.map(({ id, at }) => ({ id, at: at.toISOString() })));
      await db.execute(sql`
        update api_keys set last_used_at = seen.at
        from json_to_recordset(${list}::json) as seen (id text, at timestamptz)
        where api_keys.id = seen.id and (api_keys.last_used_at is null or api_keys.last_used_at < seen.at)`);
    },

    /**
     * One statement, so that no number of spendings at once goes beyond the hard limit. A revoked key's work that is still running is counted too.
     * Undefined when this one would go beyond, or when there is no such key.
     */
    spend: async (id: string, credits: number, on: Queryable): Promise<Spent | undefined> => {
      const { creditsUsed, creditLimitSoft, creditLimitHard } = apiKeys;
      const amount = sql`${String(credits)}::numeric`;
      const [row] = await on
        .update(apiKeys)
        .set({ creditsUsed: sql`${creditsUsed} + ${amount}` })
        .where(and(eq(apiKeys.id, id), or(isNull(creditLimitHard), sql`${creditsUsed} + ${amount} <= ${creditLimitHard}`)))
        .returning({
          ownerId: apiKeys.ownerId,
          creditsUsed,
          creditLimitSoft,
          crossedSoft: sql<boolean>`coalesce(${creditsUsed} > ${creditLimitSoft} and ${creditsUsed} - ${amount} <= ${creditLimitSoft}, false)`,
        });
      return row;
    },

    /** Undefined when that was noted before. */
    noteLimitReached: async (id: string, at: Date, on: Queryable): Promise<ApiKeyRow | undefined> => {
      const [row] = await on
        .update(apiKeys)
        .set({ creditLimitReachedAt: at })
        .where(and(eq(apiKeys.id, id), isNull(apiKeys.creditLimitReachedAt)))
        .returning();
      return row;
    },
  };
}
