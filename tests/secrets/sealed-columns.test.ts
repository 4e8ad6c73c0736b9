import { afterAll, beforeAll, expect, test } from "bun:test";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import { sealedColumns } from "../../db/sealed-columns.ts";
import { testPostgres } from "../services.ts";

let database: DatabaseClient;
beforeAll(async () => {
  const url = await testPostgres();
  await migrate(url);
  database = openDatabase({ url, connectionsMax: 1, applicationName: "test sealed columns" });
});
afterAll(() => database.close());

/** Bytes that are not sealed under a key-encryption key. */
const others: Readonly<Record<string, string>> = {
  "audit_chain.hash": "a hash",
  "audit_checkpoints.hash": "a hash",
  "audit_checkpoints.signature": "public",
  "key_encryption_keys.wrapped": "by the root key",
  "passkeys.public_key": "public",
  "refresh_tokens.answer": "of use for seconds",
  "secret_shares.sealed": "by a key that the link's token gives",
};

test("every column of bytes is rewrapped, or is known not to be sealed", async () => {
  const rows = await database.sql<{ name: string }[]>`
    select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'public' and data_type = 'bytea' order by 1`;
  const sealed = sealedColumns.filter(({ field }) => field === undefined).map(({ table, column }) => `${table}.${column}`);
  expect(rows.map(({ name }) => name)).toEqual([...sealed, ...Object.keys(others)].toSorted());
});

test("each is found by its primary key", async () => {
  for (const { table, key } of sealedColumns) {
    const rows = await database.sql<{ name: string }[]>`
      select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
      where i.indrelid = ${table}::regclass and i.indisprimary order by array_position(i.indkey::int[], a.attnum::int)`;
    expect([table, rows.map(({ name }) => name)]).toEqual([table, Object.keys(key)]);
  }
});
