import { and, desc, eq, inArray, isNull, lt } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { secretShares } from "../../../../db/schema/secrets.ts";

export type ShareRow = typeof secretShares.$inferSelect;
export type ShareStore = ReturnType<typeof createShareStore>;

export function createShareStore(db: Db) {
  const open = and(isNull(secretShares.redeemedAt), isNull(secretShares.revokedAt));

  return {
    insert: async (row: typeof secretShares.$inferInsert, on: Queryable): Promise<ShareRow> => {
      const [inserted] = await on.insert(secretShares).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** Held until the transaction ends: it is redeemed once. */
    lockByHash: async (tokenHash: string, on: Queryable): Promise<ShareRow | undefined> => {
      const [row] = await on.select().from(secretShares).where(eq(secretShares.tokenHash, tokenHash)).for("update");
      return row;
    },

    lock: async (secretId: string, id: string, on: Queryable): Promise<ShareRow | undefined> => {
      const [row] = await on
        .select()
        .from(secretShares)
        .where(and(eq(secretShares.secretId, secretId), eq(secretShares.id, id)))
        .for("update");
      return row;
    },

    /** With it the value goes. */
    end: async (id: string, set: Pick<Partial<ShareRow>, "redeemedAt" | "revokedAt">, on: Queryable): Promise<void> => {
      await on
        .update(secretShares)
        .set({ ...set, sealed: null })
        .where(eq(secretShares.id, id));
    },

    /** Links to these versions, or to all, that nobody has used yet. */
    endOf: async (
      secretId: string,
      { versions, at }: { readonly versions: readonly number[] | undefined; readonly at: Date },
      on: Queryable,
    ): Promise<void> => {
      await on
        .update(secretShares)
        .set({ revokedAt: at, sealed: null })
        .where(and(eq(secretShares.secretId, secretId), open, versions ? inArray(secretShares.version, [...versions]) : undefined));
    },

    list: (secretId: string, { before, limit }: { readonly before: string | undefined; readonly limit: number }): Promise<ShareRow[]> =>
      db
        .select()
        .from(secretShares)
        .where(and(eq(secretShares.secretId, secretId), before === undefined ? undefined : lt(secretShares.id, before)))
        .orderBy(desc(secretShares.id))
        .limit(limit),

    /** Values of links that nobody used in time. */
    emptyExpired: async (at: Date): Promise<void> => {
      await db
        .update(secretShares)
        .set({ sealed: null })
        .where(and(lt(secretShares.expiresAt, at), open));
    },

    forget: async (before: Date): Promise<number> => {
      const gone = await db.delete(secretShares).where(lt(secretShares.expiresAt, before)).returning({ id: secretShares.id });
      return gone.length;
    },
  };
}
