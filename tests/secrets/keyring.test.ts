import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createEnvelope } from "../../app/platform/keys/envelope.ts";
import { type Keyring, type KeyringDeps, openKeyring } from "../../app/platform/keys/keyring.ts";
import { createLocalRootKey } from "../../app/platform/keys/root-key.ts";
import { createKekStore } from "../../app/platform/keys/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { testLogger, testPostgres } from "../services.ts";
import { until } from "../until.ts";

let database: DatabaseClient;
const opened: Keyring[] = [];
beforeAll(async () => {
  database = openDatabase({ url: await testPostgres(), connectionsMax: 4, applicationName: "test keyring" });
});
afterAll(async () => {
  await Promise.all(opened.map((keyring) => keyring.stop()));
  await database.close();
});

const root = (filler: number) => createLocalRootKey(new Uint8Array(32).fill(filler));
const overlapMs = 1_600;
const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };

async function copy(deps: Partial<KeyringDeps> = {}): Promise<Keyring> {
  const keyring = await openKeyring({
    store: createKekStore(database.db),
    transaction: database.db.transaction.bind(database.db),
    root: root(1),
    overlapMs,
    now: () => new Date(clock.ms),
    log: testLogger("keyring"),
    ...deps,
  });
  opened.push(keyring);
  return keyring;
}
const rotate = (keyring: Keyring) => database.db.transaction(async (tx) => (await keyring.rotate(tx)).row.version);
const disable = (keyring: Keyring, version: number) => database.db.transaction((tx) => keyring.disable(version, tx));
const fresh = () => database.sql`delete from key_encryption_keys`;

test("copies that start together make one key; it is not in the database", async () => {
  await fresh();
  const copies = await Promise.all([copy(), copy(), copy()]);
  const rows = await database.sql`select wrapped from key_encryption_keys`;
  expect(rows).toHaveLength(1);
  const keys = copies.map((it) => Buffer.from(it.current().key).toString("hex"));
  expect(new Set(keys).size).toBe(1);
  expect(Buffer.from(rows[0]?.wrapped).toString("hex")).not.toContain(keys[0] ?? "");
});

test("a new key is known to every copy before any encrypts with it, and what was sealed before stays readable", async () => {
  await fresh();
  const [one, two] = [await copy(), await copy()];
  const sealed = createEnvelope(one).seal(Buffer.from("before"), "x");
  expect([await rotate(one), await rotate(two)]).toEqual([2, 2]);
  expect([one.current().version, two.current().version]).toEqual([1, 1]);
  await until("both know it", () => one.find(2) !== undefined && two.find(2) !== undefined);
  clock.ms += overlapMs / 2;
  expect([one.current().version, two.current().version]).toEqual([2, 2]);
  expect(Buffer.from(createEnvelope(two).open(sealed, "x")).toString()).toBe("before");
});

test("the key in force and the coming one can't be disabled; one that is no longer in force opens nothing afterwards", async () => {
  await fresh();
  const keyring = await copy();
  const sealed = createEnvelope(keyring).seal(Buffer.from("before"), "x");
  expect(await disable(keyring, 1)).toBe(false);
  await rotate(keyring);
  expect([await disable(keyring, 1), await disable(keyring, 2)]).toEqual([false, false]);
  clock.ms += overlapMs / 2;
  expect(await disable(keyring, 1)).toBe(true);
  await keyring.refresh();
  expect(() => createEnvelope(keyring).open(sealed, "x")).toThrow("key-encryption key 1, which is disabled");
});

describe("another root key", () => {
  test("is refused, and both are named", async () => {
    await fresh();
    await copy();
    expect(copy({ root: root(2) })).rejects.toThrow(`wrapped by the root key ${root(1).id}; this copy has ${root(2).id}`);
  });

  test("takes over when it is given the one from before", async () => {
    await fresh();
    const before = await copy();
    const sealed = createEnvelope(before).seal(Buffer.from("before"), "x");
    const after = await copy({ root: root(2), previousRoot: root(1) });
    expect(Buffer.from(createEnvelope(after).open(sealed, "x")).toString()).toBe("before");
    expect(await database.sql`select root_key_id from key_encryption_keys`).toMatchObject([{ root_key_id: root(2).id }]);
    expect((await copy({ root: root(2) })).current().version).toBe(1);
  });

  test("an altered key is refused", async () => {
    await fresh();
    await copy();
    await database.sql`update key_encryption_keys set wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)`;
    expect(copy()).rejects.toThrow("does not open with the root key");
  });
});

test("a copy that can't look any more encrypts nothing, and goes on when it can", async () => {
  await fresh();
  let isAway = false;
  const store = createKekStore(database.db);
  const usable: typeof store.usable = (on) => (isAway ? Promise.reject(new Error("away")) : store.usable(on));
  const keyring = await copy({ store: { ...store, usable } });
  isAway = true;
  const refused = await until("it refuses", () => {
    try {
      keyring.current();
      return undefined;
    } catch (error) {
      return error;
    }
  });
  expect(refused).toMatchObject({ code: "unavailable" });
  isAway = false;
  await until("it goes on", () => {
    try {
      return keyring.current().version === 1;
    } catch {
      return false;
    }
  });
});
