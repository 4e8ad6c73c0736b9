import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { openTestVault, type TestVault } from "./vault.ts";
import { startVaultServer, type VaultServer } from "./vault-server.ts";

let server: VaultServer;
let vault: TestVault;
let running: TestCopy;
let sql: postgres.Sql;
let user: SignedInUser;

const settings = (more: Readonly<Record<string, string>> = {}) => ({
  ...adminSettings,
  VAULT_ADDR: server.address,
  VAULT_TOKEN: server.rootToken,
  KEELSON_VAULT_TRANSIT_MOUNT: vault.transitMount,
  KEELSON_VAULT_KV_MOUNT: vault.kvMount,
  KEELSON_VAULT_STALE_SECONDS: "300",
  KEELSON_SECRET_VALUES: "vault",
  ...more,
});

beforeAll(async () => {
  server = await startVaultServer();
  vault = await openTestVault(server);
  await vault.admin("POST", `${vault.transitMount}/keys/keelson`, {});
  running = await startTestCopy("postgres", settings());
  sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  user = await signUp(running.url);
}, 60_000);
afterAll(async () => {
  await sql.end();
  await running[Symbol.asyncDispose]();
  await vault.close();
});

const call = (path: string, options: Parameters<typeof request>[2] = {}) => request(running.url, path, { token: user.token, ...options });
const requestsOf = (method: string) => server.requests.filter((it) => it.startsWith(`${method} `) && it.includes(`${vault.kvMount}/`));

test("the value is in Vault, and the database has none of it, not even sealed", async () => {
  await call("/v1/secrets", { body: { name: "in-vault", value: "kept elsewhere" } });
  expect((await call("/v1/secrets/in-vault")).body.value).toBe("kept elsewhere");
  const [row] =
    await sql`select store, length(kept) as length from secret_versions v join secrets s on s.id = v.secret_id where s.name = 'in-vault'`;
  expect(row?.store).toBe("vault");
  expect(requestsOf("POST").length).toBeGreaterThan(0);
});

test("a row that is moved to another secret is noticed", async () => {
  await call("/v1/secrets", { body: { name: "a", value: "of a" } });
  await call("/v1/secrets", { body: { name: "b", value: "of b" } });
  await sql`update secret_versions v set kept = (select kept from secret_versions o join secrets t on t.id = o.secret_id where t.name = 'a')
    from secrets s where s.id = v.secret_id and s.name = 'b'`;
  expectProblem(await call("/v1/secrets/b"), "secret_unreadable");
});

test("destroyed there when it is destroyed here, and when what wrote it was undone", async () => {
  await call("/v1/secrets", { body: { name: "doomed", value: "x" } });
  const before = requestsOf("DELETE").length;
  expect((await call("/v1/secrets/doomed/destroy", { body: {} })).status).toBe(200);
  await until("it is gone", () => requestsOf("DELETE").length > before);
  expectProblem(await call("/v1/secrets/doomed"), "not_found");
  const undone = requestsOf("DELETE").length;
  const writes = requestsOf("POST").length;
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => call("/v1/secrets/in-vault", { method: "PUT", body: { value: `v${n}`, expectedVersion: 1 } })),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  // Losers are refused before they write, or take back what they wrote.
  await until("nothing is left behind", () => requestsOf("POST").length - writes - (requestsOf("DELETE").length - undone) === 1);
});

test("sealed: a value that is remembered is given, and told; one that is not is refused, as is a write; then all goes on", async () => {
  await call("/v1/secrets", { body: { name: "warm", value: "warm value" } });
  await call("/v1/secrets", { body: { name: "cold", value: "cold value" } });
  expect((await call("/v1/secrets/warm")).status).toBe(200);
  server.sealed = true;
  try {
    expect((await call("/v1/secrets/warm")).body.value).toBe("warm value");
    expectProblem(await call("/v1/secrets/cold"), "unavailable");
    expectProblem(await call("/v1/secrets", { body: { name: "new", value: "x" } }), "unavailable");
  } finally {
    server.sealed = false;
  }
  expect((await call("/v1/secrets/cold")).body.value).toBe("cold value");
  expectProblem(await call("/v1/secrets/new"), "not_found");
}, 60_000);

test("what is already in the database stays there, and what is in Vault stays readable when new values go to the database", async () => {
  const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = running.config;
  await using other = await startTestCopy("postgres", settings({ DATABASE_URL, KEELSON_KEY_PREFIX, KEELSON_SECRET_VALUES: "database" }));
  const at = (path: string, options = {}) => request(other.url, path, { token: user.token, ...options });
  expect((await at("/v1/secrets/warm")).body.value).toBe("warm value");
  await at("/v1/secrets", { body: { name: "in-database", value: "here" } });
  expect((await call("/v1/secrets/in-database")).body.value).toBe("here");
  const stores = await sql`select store from secret_versions v join secrets s on s.id = v.secret_id where s.name = 'in-database'`;
  expect(stores).toMatchObject([{ store: "database" }]);
  expect(await adminToken(running.url)).toBeString();
}, 60_000);
