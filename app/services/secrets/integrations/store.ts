import { asc, eq } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { connections, integrations } from "../../../../db/schema/connections.ts";

export type IntegrationRow = typeof integrations.$inferSelect;
export type IntegrationStore = ReturnType<typeof createIntegrationStore>;

export function createIntegrationStore(db: Db) {
  return {
    list: (): Promise<IntegrationRow[]> => db.select().from(integrations).orderBy(asc(integrations.name)),

    find: async (id: string, on: Queryable = db): Promise<IntegrationRow | undefined> => {
      const [row] = await on.select().from(integrations).where(eq(integrations.id, id));
      return row;
    },

    named: async (name: string): Promise<IntegrationRow | undefined> => {
      const [row] = await db.select().from(integrations).where(eq(integrations.name, name));
      return row;
    },

    /** Undefined when the name is taken. */
    insert: async (row: IntegrationRow, on: Queryable): Promise<IntegrationRow | undefined> => {
      const [inserted] = await on.insert(integrations).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    update: async (id: string, set: Partial<IntegrationRow>, on: Queryable): Promise<IntegrationRow | undefined> => {
      const [row] = await on.update(integrations).set(set).where(eq(integrations.id, id)).returning();
      return row;
    },

    /** With its connections; answers with how many they were. */
    delete: async (id: string, on: Queryable): Promise<number> => {
      const gone = await on.delete(connections).where(eq(connections.integrationId, id)).returning({ id: connections.id });
      await on.delete(integrations).where(eq(integrations.id, id));
      return gone.length;
    },
  };
}
