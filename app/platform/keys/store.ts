import { asc, eq, isNull, sql } from "drizzle-orm";
import { advisoryLocks } from "../../../db/advisory-locks.ts";
import type { Db, Queryable, Tx } from "../../../db/client.ts";
import { keyEncryptionKeys } from "../../../db/schema/keys.ts";

export type KekRow = typeof keyEncryptionKeys.$inferSelect;
export type KekStore = ReturnType<typeof createKekStore>;

export function createKekStore(db: Db) {
  return {
    /** In the order they were made. */
    all: (on: Queryable = db): Promise<KekRow[]> => on.select().from(keyEncryptionKeys).orderBy(asc(keyEncryptionKeys.version)),

    usable: (on: Queryable = db): Promise<KekRow[]> =>
      on.select().from(keyEncryptionKeys).where(isNull(keyEncryptionKeys.disabledAt)).orderBy(asc(keyEncryptionKeys.version)),

    /** One changes them at a time, of all copies. Held until the transaction ends. */
    lock: async (on: Tx): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.keyring})`);
    },

    insert: async (row: typeof keyEncryptionKeys.$inferInsert, on: Queryable): Promise<void> => {
      await on.insert(keyEncryptionKeys).values(row);
    },

    update: async (version: number, set: Partial<KekRow>, on: Queryable): Promise<void> => {
      await on.update(keyEncryptionKeys).set(set).where(eq(keyEncryptionKeys.version, version));
    },
  };
}
