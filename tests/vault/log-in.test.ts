import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Vault } from "../../app/platform/vault/client.ts";
import { VaultForbidden } from "../../app/platform/vault/errors.ts";
import { until } from "../until.ts";
import { capturedLog, openTestVault, stringAt, type TestVault } from "./vault.ts";

let vault: TestVault;
let reader: string;
let valuePath: string;
beforeAll(async () => {
  vault = await openTestVault();
  valuePath = `${vault.kvMount}/data/greeting`;
  reader = await vault.policy({ [valuePath]: ["read"] });
  await vault.admin("POST", valuePath, { data: { text: "hello" } });
});
afterAll(() => vault.close());

const greet = async (client: Vault) => stringAt(await client.read(valuePath), "data", "data", "text");
const ownToken = async (client: Vault) => stringAt(await client.read("auth/token/lookup-self"), "data", "id");

/** Asks all the while until `done`: not one request may fail. */
async function greetUntil(what: string, client: Vault, done: () => boolean): Promise<void> {
  await until(what, async () => (await greet(client)) === "hello" && done(), 20_000);
}

describe("log-in", () => {
  test("with a token", async () => {
    expect(await greet(await vault.open(await vault.createToken({ policies: [reader], ttl: "1h" })))).toBe("hello");
  });

  test("with an AppRole", async () => {
    expect(await greet(await vault.open(await vault.createAppRole({ token_policies: [reader] })))).toBe("hello");
  });

  test("with the wrong secret id is refused in Vault's words", async () => {
    const role = await vault.createAppRole({ token_policies: [reader] });
    const refused = vault.open({ ...role, secretId: "3b3f5c6e-0000-4000-8000-000000000000" });
    expect(refused).rejects.toThrow(VaultForbidden);
    expect(refused).rejects.toThrow(/log-in by approle was refused: .*invalid role or secret id/i);
  });

  test("with a token that is none: what is asked is refused", async () => {
    const client = await vault.open({ method: "token", token: "hvs.none" });
    expect(greet(client)).rejects.toThrow(VaultForbidden);
  });
});

/** Each has a client of its own, and mostly waits. */
describe.concurrent("renewal", () => {
  test("keeps the token of an AppRole beyond its lease, with one log-in", async () => {
    const { log, count } = capturedLog();
    const client = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "3s", token_max_ttl: "1h" }), { log });
    const [token, since] = [await ownToken(client), performance.now()];
    await greetUntil("the lease is over", client, () => performance.now() - since > 3_500);
    expect(await ownToken(client)).toBe(token);
    expect(count("logged in to Vault")).toBe(1);
  }, 30_000);

  test("keeps a given token beyond its lease", async () => {
    const client = await vault.open(await vault.createToken({ policies: [reader], ttl: "3s" }));
    const since = performance.now();
    await greetUntil("the lease is over", client, () => performance.now() - since > 3_500);
  }, 30_000);

  test("gives way to a new log-in before the token's longest life ends", async () => {
    const { log, count } = capturedLog();
    const client = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "2s", token_max_ttl: "3s" }), { log });
    await greetUntil("it has logged in three times", client, () => count("logged in to Vault") === 3);
  }, 30_000);

  test("a token that can't be renewed is replaced, or said to run out", async () => {
    const role = capturedLog();
    const batch = await vault.createAppRole({ token_policies: [reader], token_ttl: "1s", token_type: "batch" });
    const client = await vault.open(batch, { log: role.log });
    await greetUntil("it has logged in again", client, () => role.count("logged in to Vault") === 3);
    expect(role.count("runs out")).toBe(0);

    const given = capturedLog();
    const short = await vault.open(await vault.createToken({ policies: [reader], ttl: "1s", renewable: false }), { log: given.log });
    expect(given.count("runs out and can't be renewed")).toBe(1);
    const refusal = await until("it has run out", () =>
      greet(short).then(
        () => false,
        (error: unknown) => error,
      ),
    );
    expect(refusal).toBeInstanceOf(VaultForbidden);
  }, 30_000);
});

describe("a refused token", () => {
  test("that was revoked is replaced once for all who asked with it", async () => {
    const { log, count } = capturedLog();
    const client = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "1h" }), { log });
    await vault.admin("POST", "auth/token/revoke", { token: await ownToken(client) });
    expect(await Promise.all(Array.from({ length: 10 }, () => greet(client)))).toEqual(Array.from({ length: 10 }, () => "hello"));
    expect(count("logged in to Vault")).toBe(2);
  });

  test("by its policy does not make a log-in each time", async () => {
    const { log, count } = capturedLog();
    const client = await vault.open(await vault.createAppRole({ token_policies: [reader] }), { log });
    const refusals = Array.from({ length: 5 }, () => client.read(`${vault.kvMount}/data/other`).catch((error: unknown) => error));
    for (const refusal of await Promise.all(refusals)) expect(refusal).toBeInstanceOf(VaultForbidden);
    for (let again = 0; again < 3; again += 1) expect(client.read(`${vault.kvMount}/data/other`)).rejects.toThrow(VaultForbidden);
    expect(await greet(client)).toBe("hello");
    expect(count("logged in to Vault")).toBe(2);
  });
});

test("nothing of a token, a credential or a value is logged or in a message", async () => {
  const { log, text } = capturedLog();
  const role = await vault.createAppRole({ token_policies: [reader], token_ttl: "1s", token_max_ttl: "2s" });
  const client = await vault.open(role, { log });
  const tokens = new Set<string>();
  await until("three tokens were seen", async () => tokens.add(await ownToken(client)).size === 3, 20_000);
  const refusals = [
    await client.read(`${vault.kvMount}/data/other`).catch(String),
    await client.write(valuePath, { data: { text: "a value" } }).catch(String),
    await vault.open({ ...role, secretId: "not-the-secret-id" }, { log }).catch(String),
    await vault.open(role, { log, address: "http://127.0.0.1:1", timeoutMs: 100 }).catch(String),
  ];
  for (const secret of [...tokens, role.secretId, "not-the-secret-id", "a value", "hello"])
    expect(text() + refusals.join("\n")).not.toContain(secret);
}, 30_000);
