import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { VaultError, VaultForbidden, VaultNotFound } from "../../app/platform/vault/errors.ts";
import { createKvValues, type KvValues } from "../../app/platform/vault/kv.ts";
import { openTestVault, type TestVault } from "./vault.ts";

let vault: TestVault;
let mount: string;
/** The policy that the documentation of `createKvValues` asks for. */
let policy: string;
beforeAll(async () => {
  vault = await openTestVault();
  mount = vault.kvMount;
  policy = await vault.policy({ [`${mount}/data/keelson/*`]: ["create", "read"], [`${mount}/metadata/keelson/*`]: ["delete"] });
});
afterAll(() => vault.close());

const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };
const ttlMs = 60_000;

async function kvValues(policies: readonly string[] = [policy], prefix = "keelson"): Promise<KvValues> {
  const client = await vault.open(await vault.createToken({ policies, ttl: "1h" }));
  return createKvValues({ vault: client, mount, prefix, ttlMs, staleMs: 300_000, onStale: () => undefined, now: () => new Date(clock.ms) });
}

const bytes = (text: string) => Buffer.from(text);
const read = async (values: KvValues, path: string) => Buffer.from(await values.get(path)).toString();
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );
const asAdministrator = (path: string, text: string) =>
  vault.admin("POST", `${mount}/data/keelson/${path}`, { data: { value: bytes(text).toString("base64") } });

test("any bytes come back, with the policy that is documented and no other rights", async () => {
  const values = await kvValues();
  for (const [index, value] of [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, byte) => byte), randomBytes(100_000)].entries()) {
    await values.put(`bytes/${index}`, value);
    expect(Buffer.from(await values.get(`bytes/${index}`)).equals(value)).toBe(true);
  }
});

test("what is given out is the caller's: wiping it leaves the next reader's value whole", async () => {
  const values = await kvValues();
  await values.put("wiped", bytes("secret"));
  (await values.get("wiped")).fill(0);
  expect(await read(values, "wiped")).toBe("secret");
});

describe("put overwrites nothing", () => {
  test("not another value, whoever wrote it and whatever we remember", async () => {
    const [one, two] = [await kvValues(), await kvValues()];
    await one.put("taken", bytes("first"));
    const refused = await refusal(two.put("taken", bytes("second")));
    expect(refused).toBeInstanceOf(VaultError);
    expect([await read(one, "taken"), await read(two, "taken")]).toEqual(["first", "first"]);
  });

  test("not with the right to either: then Vault compares the version", async () => {
    const wide = await kvValues([await vault.policy({ [`${mount}/data/keelson/*`]: ["create", "update", "read"] })]);
    await wide.put("compared", bytes("first"));
    expect(String(await refusal(wide.put("compared", bytes("second"))))).toContain("check-and-set");
    expect(await read(wide, "compared")).toBe("first");
  });

  test("of many at once one wins, and all who wrote the same have written it", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => kvValues()));
    const outcomes = await Promise.allSettled(all.map((values, index) => values.put("raced", bytes(`value ${index % 4}`))));
    const winner = await read(await kvValues(), "raced");
    const expected = outcomes.map((_, index) => (winner === `value ${index % 4}` ? "fulfilled" : "rejected"));
    expect(outcomes.map(({ status }) => status)).toEqual(expected);
  });

  test("not a version that is only marked as deleted", async () => {
    const values = await kvValues();
    await values.put("marked", bytes("first"));
    await vault.admin("DELETE", `${mount}/data/keelson/marked`);
    expect(await refusal(values.get("marked"))).toBeInstanceOf(VaultNotFound);
    expect(await refusal(values.put("marked", bytes("second")))).toBeInstanceOf(VaultError);
  });
});

test("delete removes all versions, and is done for what is not there", async () => {
  const values = await kvValues();
  await values.put("gone", bytes("first"));
  await asAdministrator("gone", "second");
  expect(await read(values, "gone")).toBe("second");
  await values.delete("gone");
  expect(await refusal(values.get("gone"))).toBeInstanceOf(VaultNotFound);
  expect(vault.admin("GET", `${mount}/metadata/keelson/gone`)).rejects.toThrow("404");
  await values.delete("gone");
  await values.put("gone", bytes("third"));
  expect(await read(values, "gone")).toBe("third");
});

test("a value that was put is the one that is read, also where another was remembered", async () => {
  const values = await kvValues();
  await values.put("renewed", bytes("first"));
  await read(values, "renewed");
  await vault.admin("DELETE", `${mount}/metadata/keelson/renewed`);
  await values.put("renewed", bytes("second"));
  expect(await read(values, "renewed")).toBe("second");
});

test("a value is remembered for its time, and asked for again after that", async () => {
  const values = await kvValues();
  await values.put("changed", bytes("first"));
  expect(await read(values, "changed")).toBe("first");
  await asAdministrator("changed", "second");
  clock.ms += ttlMs - 1;
  expect(await read(values, "changed")).toBe("first");
  clock.ms += 1;
  expect(await read(values, "changed")).toBe("second");
});

test("what is not there is not remembered as missing", async () => {
  const values = await kvValues();
  expect(await refusal(values.get("later"))).toBeInstanceOf(VaultNotFound);
  await asAdministrator("later", "there");
  expect(await read(values, "later")).toBe("there");
});

describe("a value that may not be had any more", () => {
  test("is not given from memory when it was deleted elsewhere", async () => {
    const values = await kvValues();
    await values.put("elsewhere", bytes("first"));
    await read(values, "elsewhere");
    await vault.admin("DELETE", `${mount}/metadata/keelson/elsewhere`);
    clock.ms += ttlMs;
    expect(await refusal(values.get("elsewhere"))).toBeInstanceOf(VaultNotFound);
  });

  test("is not given from memory when the policy forbids it", async () => {
    const name = await vault.policy({ [`${mount}/data/keelson/*`]: ["create", "read"] });
    const values = await kvValues([name]);
    await values.put("forbidden", bytes("first"));
    await read(values, "forbidden");
    await vault.admin("POST", `sys/policies/acl/${name}`, {
      policy: JSON.stringify({ path: { "nothing/*": { capabilities: ["read"] } } }),
    });
    clock.ms += ttlMs;
    expect(await refusal(values.get("forbidden"))).toBeInstanceOf(VaultForbidden);
  });
});

test.each(["", "/", "a//b", "/a", "a/", ".", "..", "a/../../ready", "./a"])("the path %j is refused before Vault sees it", async (path) => {
  const values = await kvValues();
  for (const work of [() => values.get(path), () => values.put(path, bytes("x")), () => values.delete(path)])
    expect(String(await refusal(work()))).toContain("not a path in Vault");
});

test.each(["a b", "ä/ö", "a%2Fb", "a%2e%2e", "a?version=1", "a#b", "a&#x2F;b", "{{a}}"])(
  "the path %j is itself and no other",
  async (path) => {
    const values = await kvValues();
    await values.put(path, bytes(path));
    expect(await read(await kvValues(), path)).toBe(path);
  },
);
