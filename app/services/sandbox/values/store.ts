import { and, asc, eq, gt, isNull, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { sandboxValues } from "../../../../db/schema/sandbox.ts";

export type ValueStore = ReturnType<typeof createValueStore>;

export interface ValueBounds {
  readonly keysMax: number;
  readonly bytesMax: number;
}

export function createValueStore(db: Db) {
  const alive = (now: Date) => or(isNull(sandboxValues.expiresAt), gt(sandboxValues.expiresAt, now));
  const isIt = (tenant: string, key: string) => and(eq(sandboxValues.tenant, tenant), eq(sandboxValues.key, key));

  return {
    get: async (tenant: string, key: string, now: Date): Promise<string | undefined> => {
      const [row] = await db
        .select({ value: sandboxValues.value })
        .from(sandboxValues)
        .where(and(isIt(tenant, key), alive(now)));
      return row?.value;
    },

    /** Resolves with false, and nothing written, when the tenant would then have more than it may. */
    set: (row: typeof sandboxValues.$inferInsert, { keysMax, bytesMax }: ValueBounds): Promise<boolean> =>
      db.transaction(async (tx) => {
        // Two at once could each see room that only one of them may take.
        await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`sandbox ${row.tenant}`}, 0))`);
        const [others] = await tx
          .select({ keys: sql<number>`count(*)::int`, bytes: sql<number>`coalesce(sum(${sandboxValues.bytes}), 0)::int` })
          .from(sandboxValues)
          .where(and(eq(sandboxValues.tenant, row.tenant), sql`${sandboxValues.key} <> ${row.key}`));
        if (!others || others.keys >= keysMax || others.bytes + row.bytes > bytesMax) return false;
        const { value, bytes, expiresAt, updatedAt } = row;
        await tx
          .insert(sandboxValues)
          .values(row)
          .onConflictDoUpdate({ target: [sandboxValues.tenant, sandboxValues.key], set: { value, bytes, expiresAt, updatedAt } });
        return true;
      }),

    delete: async (tenant: string, key: string): Promise<boolean> => {
      const gone = await db.delete(sandboxValues).where(isIt(tenant, key)).returning({ key: sandboxValues.key });
      return gone.length > 0;
    },

    list: async (
      tenant: string,
      { prefix, after, limit, now }: { readonly prefix: string; readonly after: string; readonly limit: number; readonly now: Date },
    ): Promise<string[]> => {
      const found = await db
        .select({ key: sandboxValues.key })
        .from(sandboxValues)
        .where(
          and(
            eq(sandboxValues.tenant, tenant),
            sql`starts_with(${sandboxValues.key}, ${prefix})`,
            gt(sandboxValues.key, after),
            alive(now),
          ),
        )
        .orderBy(asc(sandboxValues.key))
        .limit(limit);
      return found.map(({ key }) => key);
    },

    all: (tenant: string) => db.select().from(sandboxValues).where(eq(sandboxValues.tenant, tenant)).orderBy(asc(sandboxValues.key)),

    deleteAll: async (tenant: string, on: Queryable): Promise<void> => {
      await on.delete(sandboxValues).where(eq(sandboxValues.tenant, tenant));
    },

    /** Returns how many. */
    deleteExpired: async (now: Date, limit: number): Promise<number> => {
      const gone = await db.execute(sql`
        delete from sandbox_values where ctid = any(array(
          select ctid from sandbox_values where expires_at < ${now.toISOString()} limit ${limit}
        )) returning 1`);
      return gone.length;
    },
  };
}
