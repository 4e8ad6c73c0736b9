import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { RootKey } from "../../app/platform/keys/root-key.ts";
import { VaultError, VaultForbidden, VaultNotFound } from "../../app/platform/vault/errors.ts";
import { createTransitRootKey } from "../../app/platform/vault/transit.ts";
import { openTestVault, type TestVault } from "./vault.ts";

let vault: TestVault;
let mount: string;
/** The policy that the documentation of `createTransitRootKey` asks for. */
let policy: string;
beforeAll(async () => {
  vault = await openTestVault();
  mount = vault.transitMount;
  await vault.admin("POST", `${mount}/keys/keelson`, {});
  policy = await vault.policy({
    [`${mount}/encrypt/keelson`]: ["update"],
    [`${mount}/decrypt/keelson`]: ["update"],
    [`${mount}/keys/keelson`]: ["read"],
  });
});
afterAll(() => vault.close());

async function rootKey(keyName = "keelson", policies?: readonly string[]): Promise<RootKey> {
  const auth = policies ? await vault.createToken({ policies, ttl: "1h" }) : vault.rootAuth;
  return createTransitRootKey({ vault: await vault.open(auth), mount, keyName });
}

const key = randomBytes(32);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );

test("what it wraps it unwraps, with the policy that is documented and no other rights", async () => {
  const root = await rootKey("keelson", [policy]);
  expect(root.id).toBe(`vault:${mount}/keelson`);
  const wrapped = await root.wrap(key, "key 1");
  expect(hex(await root.unwrap(wrapped, "key 1"))).toBe(hex(key));
  expect(hex(wrapped)).not.toContain(hex(key));
  expect(Buffer.from(wrapped).equals(await root.wrap(key, "key 1"))).toBe(false);
});

describe("does not unwrap", () => {
  test("for another name", async () => {
    const root = await rootKey();
    const wrapped = await root.wrap(key, "key 1");
    for (const name of ["key 2", "key 1 ", "key", ""]) expect(await refusal(root.unwrap(wrapped, name))).toBeInstanceOf(VaultError);
  });

  test("what another key wrapped", async () => {
    await vault.admin("POST", `${mount}/keys/another`, {});
    const wrapped = await (await rootKey("another")).wrap(key, "key 1");
    expect(await refusal((await rootKey()).unwrap(wrapped, "key 1"))).toBeInstanceOf(VaultError);
  });

  test("what was altered, cut, or never wrapped", async () => {
    const root = await rootKey();
    const text = Buffer.from(await root.wrap(key, "key 1")).toString();
    const flipped = text.replace(/.(?==*$)/, (last) => (last === "A" ? "Q" : "A"));
    const body = Buffer.from(text.slice("vault:v1:".length), "base64");
    const altered = [...body.keys()].map((index) => {
      const copy = Buffer.from(body);
      copy[index] = (copy[index] ?? 0) ^ 1;
      return `vault:v1:${copy.toString("base64")}`;
    });
    const bad = [flipped, text.slice(0, -4), text.replace("v1", "v2"), "vault:v1:", "nothing", "", ...altered];
    for (const refused of await Promise.all(bad.map((it) => refusal(root.unwrap(Buffer.from(it), "key 1")))))
      expect(refused).toBeInstanceOf(VaultError);
  });
});

test("what was wrapped before the transit key was rotated opens afterwards, until that version is disallowed", async () => {
  await vault.admin("POST", `${mount}/keys/rotated`, {});
  const root = await rootKey("rotated");
  const before = await root.wrap(key, "key 1");
  await vault.admin("POST", `${mount}/keys/rotated/rotate`, {});
  const after = await root.wrap(key, "key 1");
  expect([before, after].map((wrapped) => Buffer.from(wrapped).toString().slice(0, 9))).toEqual(["vault:v1:", "vault:v2:"]);
  for (const wrapped of [before, after]) expect(hex(await root.unwrap(wrapped, "key 1"))).toBe(hex(key));
  await vault.admin("POST", `${mount}/keys/rotated/config`, { min_decryption_version: 2 });
  expect(String(await refusal(root.unwrap(before, "key 1")))).toContain("too old");
  expect(hex(await root.unwrap(after, "key 1"))).toBe(hex(key));
});

describe("says what is wrong", () => {
  test("when there is no such key, and does not have it made", async () => {
    const root = await rootKey("missing");
    for (const refused of [await refusal(root.wrap(key, "key 1")), await refusal(root.unwrap(Buffer.from("vault:v1:AAAA"), "key 1"))]) {
      expect(refused).toBeInstanceOf(VaultNotFound);
      expect(String(refused)).toContain(`there is no transit key vault:${mount}/missing`);
    }
    expect(vault.admin("GET", `${mount}/keys/missing`)).rejects.toThrow("404");
  });

  test.each([
    ["keys", "look up"],
    ["encrypt", "wrap"],
    ["decrypt", "unwrap"],
  ])("when the policy leaves out %s", async (left, verb) => {
    const rights = { keys: ["read"], encrypt: ["update"], decrypt: ["update"] };
    const paths = Object.entries(rights).filter(([kind]) => kind !== left);
    const partial = await vault.policy(Object.fromEntries(paths.map(([kind, allowed]) => [`${mount}/${kind}/keelson`, allowed])));
    const root = await rootKey("keelson", [partial]);
    const refused = await refusal(left === "decrypt" ? root.unwrap(Buffer.from("vault:v1:AAAA"), "key 1") : root.wrap(key, "key 1"));
    expect(refused).toBeInstanceOf(VaultForbidden);
    expect(String(refused)).toContain(`the policy does not let us ${verb} with the transit key vault:${mount}/keelson`);
  });

  test.each([
    ["rsa-2048", {}, "of the type rsa-2048"],
    ["aes256-gcm96", { derived: true }, "derives keys from a context"],
  ])("when the key is %s %j", async (type, settings, expected) => {
    const name = `unfit-${type}`;
    await vault.admin("POST", `${mount}/keys/${name}`, { type, ...settings });
    expect(String(await refusal((await rootKey(name)).wrap(key, "key 1")))).toContain(expected);
  });
});
