import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, like, lt, lte, notExists, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../db/client.ts";
import { teams } from "../../../db/schema/auth.ts";
import { secrets, secretVersions } from "../../../db/schema/secrets.ts";

export type SecretRow = typeof secrets.$inferSelect;
export type VersionRow = typeof secretVersions.$inferSelect;
export type SecretStore = ReturnType<typeof createSecretStore>;

export interface SecretWithVersion {
  readonly secret: SecretRow;
  readonly version: VersionRow;
}

export interface SecretName {
  readonly tenant: string;
  readonly name: string;
}

export interface SecretFilter {
  readonly tenant: string;
  readonly prefix?: string | undefined;
  readonly labels: readonly { readonly key: string; readonly value?: string | undefined }[];
  readonly deleted: boolean;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** The first of two keys, so that this meets no other advisory lock. */
const tenantLock = 7_165_122;

export function createSecretStore(db: Db) {
  const named = ({ tenant, name }: SecretName) => and(eq(secrets.tenant, tenant), eq(secrets.name, name));
  const newest = and(eq(secretVersions.secretId, secrets.id), eq(secretVersions.version, secrets.currentVersion));
  const both = { secret: secrets, version: secretVersions };

  return {
    /** The newest version of each that is there, in one query for all. */
    findAll: (names: readonly SecretName[], on: Queryable = db): Promise<SecretWithVersion[]> => {
      const keys = JSON.stringify(names.map(({ tenant, name }) => ({ tenant, name })));
      return on
        .select(both)
        .from(secrets)
        .innerJoin(secretVersions, newest)
        .where(
          sql`(${secrets.tenant}, ${secrets.name}) in (select k.tenant, k.name from json_to_recordset(${keys}::json) as k(tenant text, name text))`,
        );
    },

    find: async (name: SecretName, on: Queryable = db): Promise<SecretRow | undefined> => {
      const [row] = await on.select().from(secrets).where(named(name));
      return row;
    },

    findById: async (id: string, on: Queryable = db): Promise<SecretRow | undefined> => {
      const [row] = await on.select().from(secrets).where(eq(secrets.id, id));
      return row;
    },

    findVersion: async (name: SecretName, version: number): Promise<SecretWithVersion | undefined> => {
      const [row] = await db
        .select(both)
        .from(secrets)
        .innerJoin(secretVersions, eq(secretVersions.secretId, secrets.id))
        .where(and(named(name), eq(secretVersions.version, version)));
      return row;
    },

    /** The newest version that was there at that time. */
    findAt: async (name: SecretName, at: Date): Promise<SecretWithVersion | undefined> => {
      const [row] = await db
        .select(both)
        .from(secrets)
        .innerJoin(secretVersions, eq(secretVersions.secretId, secrets.id))
        .where(and(named(name), lte(secretVersions.createdAt, at)))
        .orderBy(desc(secretVersions.version))
        .limit(1);
      return row;
    },

    /** Held until the transaction ends: versions are given one after the other. */
    lock: async (name: SecretName, on: Queryable): Promise<SecretRow | undefined> => {
      const [row] = await on.select().from(secrets).where(named(name)).for("update");
      return row;
    },

    lockById: async (id: string, on: Queryable): Promise<SecretRow | undefined> => {
      const [row] = await on.select().from(secrets).where(eq(secrets.id, id)).for("update");
      return row;
    },

    /** Whoever changes what refers to what, or how many there are, waits for each other until the transaction ends. */
    lockTenant: async (tenant: string, on: Queryable): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(${tenantLock}, hashtext(${tenant}))`);
    },

    count: (tenant: string, on: Queryable): Promise<number> => on.$count(secrets, eq(secrets.tenant, tenant)),

    /** Undefined when the name is taken, also by somebody who commits meanwhile. */
    insert: async (row: typeof secrets.$inferInsert, on: Queryable): Promise<SecretRow | undefined> => {
      const [inserted] = await on.insert(secrets).values(row).onConflictDoNothing().returning();
      return inserted;
    },

    update: async (id: string, set: Partial<SecretRow>, on: Queryable): Promise<SecretRow> => {
      const [row] = await on.update(secrets).set(set).where(eq(secrets.id, id)).returning();
      if (!row) throw new Error("update returned no row");
      return row;
    },

    insertVersion: async (row: typeof secretVersions.$inferInsert, on: Queryable): Promise<VersionRow> => {
      const [inserted] = await on.insert(secretVersions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    versions: (secretId: string, on: Queryable = db): Promise<VersionRow[]> =>
      on.select().from(secretVersions).where(eq(secretVersions.secretId, secretId)).orderBy(desc(secretVersions.version)),

    updateVersions: async (
      secretId: string,
      { versions, set }: { versions: readonly number[]; set: Partial<VersionRow> },
      on: Queryable,
    ) => {
      await on
        .update(secretVersions)
        .set(set)
        .where(and(eq(secretVersions.secretId, secretId), inArray(secretVersions.version, [...versions])));
    },

    list: (filter: SecretFilter): Promise<SecretWithVersion[]> =>
      db
        .select(both)
        .from(secrets)
        .innerJoin(secretVersions, newest)
        .where(
          and(
            eq(secrets.tenant, filter.tenant),
            filter.deleted ? undefined : eq(secretVersions.state, "live"),
            filter.prefix === undefined ? undefined : sql`starts_with(${secrets.name}, ${filter.prefix})`,
            filter.after === undefined ? undefined : gt(secrets.name, filter.after),
            ...filter.labels.map(({ key, value }) =>
              value === undefined ? sql`jsonb_exists(${secrets.labels}, ${key})` : sql`${secrets.labels} ->> ${key} = ${value}`,
            ),
          ),
        )
        .orderBy(asc(secrets.name))
        .limit(filter.limit),

    /** The newest versions of all of a user's, for a copy of what is kept of them. */
    ownedBy: (tenant: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<SecretRow[]> =>
      db
        .select()
        .from(secrets)
        .where(and(eq(secrets.tenant, tenant), before ? lt(secrets.id, before) : undefined))
        .orderBy(desc(secrets.id))
        .limit(limit),

    deleteOwnedBy: async (tenant: string, on: Queryable): Promise<void> => {
      await on.delete(secrets).where(eq(secrets.tenant, tenant));
    },

    /** Past their time and not told of. Held until the transaction ends, so that one copy tells. */
    lockExpired: (at: Date, on: Queryable): Promise<SecretRow[]> =>
      on
        .select()
        .from(secrets)
        .where(and(isNotNull(secrets.expiresAt), lte(secrets.expiresAt, at), isNull(secrets.expiryToldAt)))
        .limit(100)
        .for("update", { skipLocked: true }),

    /** Of teams that are no more. */
    deleteOrphaned: async (): Promise<number> => {
      const gone = await db
        .delete(secrets)
        .where(
          and(like(secrets.tenant, "team\\_%"), notExists(db.select({ id: teams.id }).from(teams).where(eq(teams.id, secrets.tenant)))),
        )
        .returning({ id: secrets.id });
      return gone.length;
    },
  };
}
