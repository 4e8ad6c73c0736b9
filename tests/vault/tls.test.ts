import { afterAll, beforeAll, expect, test } from "bun:test";
import { openVault, type Vault } from "../../app/platform/vault/client.ts";
import { VaultUnavailable } from "../../app/platform/vault/errors.ts";
import { createAuthority } from "./certificate.ts";
import { capturedLog, stringAt } from "./vault.ts";
import { startVaultServer, type VaultServer } from "./vault-server.ts";

/** Always against our own server: `vault.ts` says why. */
const authority = createAuthority();
let server: VaultServer;
const opened: Vault[] = [];
beforeAll(async () => {
  server = await startVaultServer(authority.issue());
});
afterAll(() => {
  for (const vault of opened) vault.close();
  server.close();
});

async function open(caCert: string | undefined, address = server.address): Promise<Vault> {
  const auth = { method: "token", token: server.rootToken } as const;
  const vault = await openVault({
    address,
    namespace: undefined,
    auth,
    caCert,
    timeoutMs: 500,
    now: () => new Date(),
    log: capturedLog().log,
  });
  opened.push(vault);
  return vault;
}
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );

test("a server whose certificate the given authority signed is trusted, by name and by address", async () => {
  for (const address of [server.address, server.address.replace("127.0.0.1", "localhost")]) {
    const vault = await open(authority.cert, address);
    await vault.write("sys/mounts/kv", { type: "kv" }).catch(() => undefined);
    await vault.write("kv/data/greeting", { data: { text: "hello" } });
    expect(stringAt(await vault.read("kv/data/greeting"), "data", "data", "text")).toBe("hello");
  }
});

test.each([
  ["no authority but the system's", () => undefined],
  ["another authority", () => createAuthority().cert],
])("%s: it is not trusted, and never sees the token", async (_name, caCert) => {
  server.requests.length = 0;
  const refused = await refusal(open(caCert()));
  expect(refused).toBeInstanceOf(VaultUnavailable);
  expect(String(refused)).toMatch(/certificate/);
  expect(server.requests).toEqual([]);
});

test.each([
  ["VAULT_SKIP_VERIFY", "1"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
])("%s in the environment changes nothing", async (name, value) => {
  const before = process.env[name];
  process.env[name] = value;
  try {
    expect(await refusal(open(undefined))).toBeInstanceOf(VaultUnavailable);
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
});

test("a redirect does not take the token from https to http", async () => {
  const seen: (string | null)[] = [];
  const plain = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      seen.push(request.headers.get("x-vault-token"));
      return Response.json({});
    },
  });
  const vault = await open(authority.cert);
  server.fault = () => ({ redirect: plain.url.href });
  expect(String(await refusal(vault.read("kv/data/greeting")))).toContain("from https to http");
  expect(seen).toEqual([]);
  server.fault = () => undefined;
  await plain.stop(true);
});
