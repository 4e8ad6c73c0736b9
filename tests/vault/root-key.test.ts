import { afterAll, beforeAll, expect, test } from "bun:test";

import { request, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { openSealOf } from "../opened-seal.ts";
import { openTestVault, type TestVault } from "./vault.ts";
import { startVaultServer, type VaultServer } from "./vault-server.ts";

let server: VaultServer;
let vault: TestVault;
beforeAll(async () => {
  server = await startVaultServer();
  vault = await openTestVault(server);
  await vault.admin("POST", `${vault.transitMount}/keys/keelson`, {});
});
afterAll(() => vault.close());

const settings = () => ({ VAULT_ADDR: server.address, VAULT_TOKEN: server.rootToken, KEELSON_VAULT_TRANSIT_MOUNT: vault.transitMount });

test("with Vault its transit key wraps what the local one wrapped before; what was stored stays readable, and the local key opens it no more", async () => {
  const before = await startTestCopy("postgres");
  const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = before.config;
  const user = await signUp(before.url);
  const { body } = await request(before.url, "/v1/auth/mfa/totp", { method: "POST", token: user.token });
  expect(body.secret).toBeString();
  await before[Symbol.asyncDispose]();

  const shared = { DATABASE_URL, KEELSON_KEY_PREFIX };
  await using after = await startTestCopy("postgres", { ...shared, ...settings() });
  await using opened = await openSealOf(after.config);
  const [key] = await opened.sql`select root_key_id, wrapped from key_encryption_keys`;
  expect(key?.root_key_id).toBe(`vault:${vault.transitMount}/keelson`);
  expect(Buffer.from(key?.wrapped).toString()).toStartWith("vault:v1:");
  const [totp] = await opened.sql`select secret from totp_credentials where user_id = ${user.id}`;
  expect(opened.seal.open(totp?.secret, `totp:${user.id}`)).toHaveLength(20);
  expect((await request(after.url, "/v1/me", { token: user.token })).status).toBe(200);
  await expect(startTestCopy("postgres", shared)).rejects.toThrow(`wrapped by the root key vault:${vault.transitMount}/keelson`);
}, 90_000);

test("a transit key that is not there stops the start, and is named", async () => {
  await expect(startTestCopy("postgres", { ...settings(), KEELSON_VAULT_TRANSIT_KEY: "another" })).rejects.toThrow(
    `there is no transit key vault:${vault.transitMount}/another`,
  );
}, 60_000);

test("a sealed Vault stops a start; what runs goes on", async () => {
  await using running = await startTestCopy("postgres", settings());
  server.sealed = true;
  try {
    await expect(startTestCopy("postgres", settings())).rejects.toThrow();
    const { token } = await signUp(running.url);
    expect((await request(running.url, "/v1/auth/mfa/totp", { method: "POST", token })).status).toBe(200);
  } finally {
    server.sealed = false;
  }
}, 90_000);
