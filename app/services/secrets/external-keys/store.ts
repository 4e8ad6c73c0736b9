import { and, asc, desc, eq, ne } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { externalKeys } from "../../../../db/schema/external-keys.ts";

export type ExternalKeyRow = typeof externalKeys.$inferSelect;
export type ExternalKeyStore = ReturnType<typeof createExternalKeyStore>;

export function createExternalKeyStore(db: Db) {
  return {
    list: (tenant: string, service: string | undefined, on: Queryable = db): Promise<ExternalKeyRow[]> =>
      on
        .select()
        .from(externalKeys)
        .where(and(eq(externalKeys.tenant, tenant), service === undefined ? undefined : eq(externalKeys.service, service)))
        .orderBy(asc(externalKeys.service), asc(externalKeys.name)),

    find: async (id: string): Promise<ExternalKeyRow | undefined> => {
      const [row] = await db.select().from(externalKeys).where(eq(externalKeys.id, id));
      return row;
    },

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<ExternalKeyRow | undefined> => {
      const [row] = await on.select().from(externalKeys).where(eq(externalKeys.id, id)).for("update");
      return row;
    },

    /** The one of that name, or the newest that the service has not refused. */
    pick: async (tenant: string, { service, name }: { readonly service: string; readonly name?: string | undefined }) => {
      const [row] = await db
        .select()
        .from(externalKeys)
        .where(
          and(
            eq(externalKeys.tenant, tenant),
            eq(externalKeys.service, service),
            name === undefined ? ne(externalKeys.status, "invalid") : eq(externalKeys.name, name),
          ),
        )
        .orderBy(desc(externalKeys.updatedAt))
        .limit(1);
      return row;
    },

    /** Undefined when the name is taken. */
    insert: async (row: ExternalKeyRow, on: Queryable): Promise<ExternalKeyRow | undefined> => {
      const [inserted] = await on.insert(externalKeys).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    update: async (id: string, set: Partial<ExternalKeyRow>, on: Queryable): Promise<ExternalKeyRow | undefined> => {
      const [row] = await on.update(externalKeys).set(set).where(eq(externalKeys.id, id)).returning();
      return row;
    },

    delete: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(externalKeys).where(eq(externalKeys.id, id));
    },

    deleteOwnedBy: async (tenant: string, on: Queryable): Promise<void> => {
      await on.delete(externalKeys).where(eq(externalKeys.tenant, tenant));
    },
  };
}
