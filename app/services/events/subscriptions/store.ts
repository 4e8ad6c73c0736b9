import { and, desc, eq, isNull, lt, ne, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { users } from "../../../../db/schema/auth.ts";
import { eventSubscriptions } from "../../../../db/schema/subscriptions.ts";

export type SubscriptionRow = typeof eventSubscriptions.$inferSelect;
export type SubscriptionStore = ReturnType<typeof createSubscriptionStore>;

export interface SubscriptionFilter {
  readonly ownerId?: string;
  readonly teamId?: string;
  readonly before?: string;
  readonly limit: number;
}

/** The first of two keys, so that this meets no other advisory lock. */
const ownerLock = 7_165_106;

export function createSubscriptionStore(db: Db) {
  const find = async (id: string, on: Queryable = db): Promise<SubscriptionRow | undefined> => {
    const [row] = await on.select().from(eventSubscriptions).where(eq(eventSubscriptions.id, id));
    return row;
  };

  return {
    find,

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<SubscriptionRow | undefined> => {
      const [row] = await on.select().from(eventSubscriptions).where(eq(eventSubscriptions.id, id)).for("update");
      return row;
    },

    /** How many the user has made. Held until the transaction ends, so that two can't both be the last. */
    lockAndCount: async (ownerId: string, on: Queryable): Promise<number> => {
      await on.execute(sql`select pg_advisory_xact_lock(${ownerLock}, hashtext(${ownerId}))`);
      return on.$count(eventSubscriptions, eq(eventSubscriptions.ownerId, ownerId));
    },

    insert: async (row: typeof eventSubscriptions.$inferInsert, on: Queryable): Promise<SubscriptionRow> => {
      const [inserted] = await on.insert(eventSubscriptions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    update: async (id: string, set: Partial<SubscriptionRow>, on: Queryable): Promise<SubscriptionRow> => {
      const [row] = await on
        .update(eventSubscriptions)
        .set({ ...set, updatedAt: sql`clock_timestamp()` })
        .where(eq(eventSubscriptions.id, id))
        .returning();
      if (!row) throw new Error("update returned no row");
      return row;
    },

    delete: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(eventSubscriptions).where(eq(eventSubscriptions.id, id));
    },

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on.delete(eventSubscriptions).where(eq(eventSubscriptions.ownerId, ownerId));
    },

    ownedBy: (ownerId: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<SubscriptionRow[]> =>
      db
        .select()
        .from(eventSubscriptions)
        .where(and(belongsTo({ ownerId }), before ? lt(eventSubscriptions.id, before) : undefined))
        .orderBy(desc(eventSubscriptions.id))
        .limit(limit),

    list: (filter: SubscriptionFilter): Promise<SubscriptionRow[]> =>
      db
        .select()
        .from(eventSubscriptions)
        .where(and(belongsTo(filter), filter.before ? lt(eventSubscriptions.id, filter.before) : undefined))
        .orderBy(desc(eventSubscriptions.id))
        .limit(filter.limit),

    /** Changes whenever one is made, changed or deleted. */
    version: async (): Promise<string> => {
      const [row] = await db
        .select({ version: sql<string>`count(*) || ' ' || coalesce(max(${eventSubscriptions.updatedAt})::text, '')` })
        .from(eventSubscriptions);
      return row?.version ?? "";
    },

    /** Those that want events, with what their owner is now; nobody's account that is disabled. */
    wanting: (): Promise<{ readonly subscription: SubscriptionRow; readonly role: "user" | "admin" }[]> =>
      db
        .select({ subscription: eventSubscriptions, role: users.role })
        .from(eventSubscriptions)
        .innerJoin(users, eq(users.id, eventSubscriptions.ownerId))
        .where(and(ne(eventSubscriptions.status, "disabled"), isNull(users.disabledAt))),

    ownerOf: async (id: string): Promise<{ readonly email: string; readonly name: string | null } | undefined> => {
      const [row] = await db
        .select({ email: users.email, name: users.name })
        .from(eventSubscriptions)
        .innerJoin(users, eq(users.id, eventSubscriptions.ownerId))
        .where(eq(eventSubscriptions.id, id));
      return row;
    },

    /** Without changing what the subscription is; not every time when all goes well, as all deliveries would wait for this one row. */
    noteSuccess: async (id: string, at: Date, on: Queryable): Promise<void> => {
      const isNews = sql`(${eventSubscriptions.failingSince} is not null or coalesce(${eventSubscriptions.lastSuccessAt}, '-infinity') < ${at.toISOString()}::timestamptz - interval '5 s')`;
      await on
        .update(eventSubscriptions)
        .set({ failingSince: null, lastSuccessAt: at })
        .where(and(eq(eventSubscriptions.id, id), isNews));
    },

    /** Answers with since when it fails. */
    noteFailure: async (
      id: string,
      { at, error }: { readonly at: Date; readonly error: string },
      on: Queryable,
    ): Promise<Date | undefined> => {
      const [row] = await on
        .update(eventSubscriptions)
        .set({
          failingSince: sql`coalesce(${eventSubscriptions.failingSince}, ${at.toISOString()}::timestamptz)`,
          lastFailureAt: at,
          lastError: error,
        })
        .where(eq(eventSubscriptions.id, id))
        .returning({ failingSince: eventSubscriptions.failingSince });
      return row?.failingSince ?? undefined;
    },
  };
}

function belongsTo({ ownerId, teamId }: Pick<SubscriptionFilter, "ownerId" | "teamId">) {
  if (teamId !== undefined) return eq(eventSubscriptions.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(eventSubscriptions.ownerId, ownerId), isNull(eventSubscriptions.teamId));
}
