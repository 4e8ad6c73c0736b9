import { and, desc, eq, gt, inArray, lte, ne, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { secretPolicies, secretReports, secretRotations } from "../../../../db/schema/rotation.ts";

export type PolicyRow = typeof secretPolicies.$inferSelect;
export type RotationRow = typeof secretRotations.$inferSelect;
export type RotationStore = ReturnType<typeof createRotationStore>;

const open = inArray(secretRotations.status, ["pending", "overlapping"]);

export function createRotationStore(db: Db) {
  return {
    policy: async (secretId: string, on: Queryable = db): Promise<PolicyRow | undefined> => {
      const [row] = await on.select().from(secretPolicies).where(eq(secretPolicies.secretId, secretId));
      return row;
    },

    setPolicy: async (row: PolicyRow, on: Queryable): Promise<PolicyRow> => {
      const { secretId: _, createdAt: __, webhookSecret: ___, ...set } = row;
      const [stored] = await on.insert(secretPolicies).values(row).onConflictDoUpdate({ target: secretPolicies.secretId, set }).returning();
      if (!stored) throw new Error("insert returned no row");
      return stored;
    },

    updatePolicy: async (secretId: string, set: Partial<PolicyRow>, on: Queryable): Promise<void> => {
      await on.update(secretPolicies).set(set).where(eq(secretPolicies.secretId, secretId));
    },

    deletePolicy: async (secretId: string, on: Queryable): Promise<void> => {
      await on.delete(secretPolicies).where(eq(secretPolicies.secretId, secretId));
    },

    /** Policies whose time has come, or is to be announced, and that nobody else is at. Held until the transaction ends. */
    lockDue: (at: Date, on: Queryable): Promise<PolicyRow[]> =>
      on
        .select()
        .from(secretPolicies)
        .where(
          and(
            eq(secretPolicies.state, "active"),
            or(
              and(
                lte(secretPolicies.nextAt, at),
                or(ne(secretPolicies.strategy, "manual"), sql`${secretPolicies.dueToldFor} is distinct from ${secretPolicies.nextAt}`),
              ),
              and(
                gt(secretPolicies.nextAt, at),
                lte(sql`${secretPolicies.nextAt} - make_interval(hours => ${secretPolicies.notifyHoursBefore})`, at.toISOString()),
                gt(secretPolicies.notifyHoursBefore, 0),
                sql`${secretPolicies.announcedFor} is distinct from ${secretPolicies.nextAt}`,
              ),
            ),
          ),
        )
        .orderBy(secretPolicies.nextAt)
        .limit(50)
        .for("update", { skipLocked: true }),

    /** Overlaps that are over. Held until the transaction ends. */
    lockOver: (at: Date, on: Queryable): Promise<RotationRow[]> =>
      on
        .select()
        .from(secretRotations)
        .where(and(eq(secretRotations.status, "overlapping"), lte(secretRotations.overlapUntil, at)))
        .limit(50)
        .for("update", { skipLocked: true }),

    /** Undefined when one is under way. */
    insert: async (row: RotationRow, on: Queryable): Promise<RotationRow | undefined> => {
      const [inserted] = await on.insert(secretRotations).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    find: async (id: string): Promise<RotationRow | undefined> => {
      const [row] = await db.select().from(secretRotations).where(eq(secretRotations.id, id));
      return row;
    },

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<RotationRow | undefined> => {
      const [row] = await on.select().from(secretRotations).where(eq(secretRotations.id, id)).for("update");
      return row;
    },

    openOf: async (secretId: string, on: Queryable = db): Promise<RotationRow | undefined> => {
      const [row] = await on
        .select()
        .from(secretRotations)
        .where(and(eq(secretRotations.secretId, secretId), open));
      return row;
    },

    list: (secretId: string, limit: number): Promise<RotationRow[]> =>
      db.select().from(secretRotations).where(eq(secretRotations.secretId, secretId)).orderBy(desc(secretRotations.id)).limit(limit),

    update: async (id: string, set: Partial<RotationRow>, on: Queryable): Promise<void> => {
      await on.update(secretRotations).set(set).where(eq(secretRotations.id, id));
    },

    report: async (row: typeof secretReports.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(secretReports).values(row);
    },

    errorsSince: (rotationId: string, { version, since }: { readonly version: number; readonly since: Date }, on: Queryable) =>
      on.$count(
        secretReports,
        and(
          eq(secretReports.rotationId, rotationId),
          eq(secretReports.version, version),
          eq(secretReports.outcome, "error"),
          gt(secretReports.at, since),
        ),
      ),
  };
}
