import { and, asc, eq, gt, like, lt, notExists } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { teams } from "../../../../db/schema/auth.ts";
import { connectionFlows, connections, integrations } from "../../../../db/schema/connections.ts";

export type ConnectionRow = typeof connections.$inferSelect;
export type ConnectionStore = ReturnType<typeof createConnectionStore>;

export function createConnectionStore(db: Db) {
  const of = (tenant: string, integrationId: string) => and(eq(connections.tenant, tenant), eq(connections.integrationId, integrationId));

  return {
    list: (tenant: string) =>
      db
        .select({ connection: connections, name: integrations.name })
        .from(connections)
        .innerJoin(integrations, eq(integrations.id, connections.integrationId))
        .where(eq(connections.tenant, tenant))
        .orderBy(asc(integrations.name)),

    find: async (tenant: string, integrationId: string): Promise<ConnectionRow | undefined> => {
      const [row] = await db.select().from(connections).where(of(tenant, integrationId));
      return row;
    },

    /** Held until the transaction ends, so that of all copies one refreshes. */
    lock: async (id: string, on: Queryable): Promise<ConnectionRow | undefined> => {
      const [row] = await on.select().from(connections).where(eq(connections.id, id)).for("update");
      return row;
    },

    /** In the place of the one that was there. */
    put: async (row: ConnectionRow, on: Queryable): Promise<void> => {
      await on.delete(connections).where(of(row.tenant, row.integrationId));
      await on.insert(connections).values(row);
    },

    update: async (id: string, set: Partial<ConnectionRow>, on: Queryable): Promise<void> => {
      await on.update(connections).set(set).where(eq(connections.id, id));
    },

    delete: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(connections).where(eq(connections.id, id));
    },

    deleteOwnedBy: async (tenant: string, on: Queryable): Promise<void> => {
      await on.delete(connections).where(eq(connections.tenant, tenant));
    },

    beginFlow: async (row: typeof connectionFlows.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(connectionFlows).values(row);
    },

    /** Once, and only by the browser that began it. */
    takeFlow: async (given: { readonly stateHash: string; readonly browserHash: string; readonly at: Date }, on: Queryable) => {
      const { stateHash, browserHash, at } = given;
      const [row] = await on
        .delete(connectionFlows)
        .where(
          and(eq(connectionFlows.stateHash, stateHash), eq(connectionFlows.browserHash, browserHash), gt(connectionFlows.expiresAt, at)),
        )
        .returning();
      return row;
    },

    /** Flows that nobody finished, and connections of teams that are no more. */
    forget: async (at: Date): Promise<number> => {
      await db.delete(connectionFlows).where(lt(connectionFlows.expiresAt, at));
      const noTeam = notExists(db.select({ id: teams.id }).from(teams).where(eq(teams.id, connections.tenant)));
      const gone = await db
        .delete(connections)
        .where(and(like(connections.tenant, "team\\_%"), noTeam))
        .returning({ id: connections.id });
      return gone.length;
    },
  };
}
