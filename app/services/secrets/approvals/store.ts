import { and, desc, eq, inArray, lt, lte, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { secretRequests, secrets } from "../../../../db/schema/secrets.ts";

export type RequestRow = typeof secretRequests.$inferSelect;
export type RequestStore = ReturnType<typeof createRequestStore>;
type SecretOf = Pick<typeof secrets.$inferSelect, "id" | "tenant" | "name">;

export interface RequestWithSecret {
  readonly request: RequestRow;
  readonly secret: SecretOf;
}

export interface RequestFilter {
  /** Undefined: of all. */
  readonly tenant: string | undefined;
  readonly secretId?: string | undefined;
  readonly status?: RequestRow["status"] | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export function createRequestStore(db: Db) {
  const both = { request: secretRequests, secret: { id: secrets.id, tenant: secrets.tenant, name: secrets.name } };
  const open = inArray(secretRequests.status, ["pending", "approved"]);

  return {
    insert: async (row: typeof secretRequests.$inferInsert, on: Queryable): Promise<RequestRow> => {
      const [inserted] = await on.insert(secretRequests).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    find: async (id: string): Promise<RequestWithSecret | undefined> => {
      const [row] = await db
        .select(both)
        .from(secretRequests)
        .innerJoin(secrets, eq(secrets.id, secretRequests.secretId))
        .where(eq(secretRequests.id, id));
      return row;
    },

    /** Held until the transaction ends: it is decided once. */
    lock: async (id: string, on: Queryable): Promise<RequestRow | undefined> => {
      const [row] = await on.select().from(secretRequests).where(eq(secretRequests.id, id)).for("update");
      return row;
    },

    /** What the user has asked for and still may get, or has got and not used. Held until the transaction ends: it is used once. */
    lockOpen: (
      {
        secretId,
        userId,
        action,
        at,
      }: { readonly secretId: string; readonly userId: string; readonly action: RequestRow["action"]; readonly at: Date },
      on: Queryable,
    ): Promise<RequestRow[]> =>
      on
        .select()
        .from(secretRequests)
        .where(
          and(
            eq(secretRequests.secretId, secretId),
            eq(secretRequests.requestedBy, userId),
            eq(secretRequests.action, action),
            open,
            sql`${secretRequests.expiresAt} > ${at.toISOString()}`,
          ),
        )
        .orderBy(desc(secretRequests.status))
        .for("update"),

    update: async (id: string, set: Partial<RequestRow>, on: Queryable): Promise<RequestRow> => {
      const [row] = await on.update(secretRequests).set(set).where(eq(secretRequests.id, id)).returning();
      if (!row) throw new Error("update returned no row");
      return row;
    },

    list: ({ tenant, secretId, status, before, limit }: RequestFilter): Promise<RequestWithSecret[]> =>
      db
        .select(both)
        .from(secretRequests)
        .innerJoin(secrets, eq(secrets.id, secretRequests.secretId))
        .where(
          and(
            tenant === undefined ? undefined : eq(secrets.tenant, tenant),
            secretId === undefined ? undefined : eq(secretRequests.secretId, secretId),
            status === undefined ? undefined : eq(secretRequests.status, status),
            before === undefined ? undefined : lt(secretRequests.id, before),
          ),
        )
        .orderBy(desc(secretRequests.id))
        .limit(limit),

    /** Held until the transaction ends, so that one copy tells of them. */
    lockExpired: (at: Date, on: Queryable): Promise<RequestWithSecret[]> =>
      on
        .select(both)
        .from(secretRequests)
        .innerJoin(secrets, eq(secrets.id, secretRequests.secretId))
        .where(and(open, lte(secretRequests.expiresAt, at)))
        .limit(100)
        .for("update", { of: secretRequests, skipLocked: true }),

    forget: async (before: Date): Promise<number> => {
      const gone = await db
        .delete(secretRequests)
        .where(and(inArray(secretRequests.status, ["denied", "used", "expired"]), lt(secretRequests.createdAt, before)))
        .returning({ id: secretRequests.id });
      return gone.length;
    },
  };
}
