import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Vault } from "../../app/platform/vault/client.ts";
import { VaultError, VaultForbidden, VaultNotFound, VaultUnavailable } from "../../app/platform/vault/errors.ts";
import { createKvValues } from "../../app/platform/vault/kv.ts";
import { createTransitRootKey } from "../../app/platform/vault/transit.ts";
import { until } from "../until.ts";
import { capturedLog, openTestVault, stringAt, type TestVault } from "./vault.ts";
import { type Fault, startVaultServer, type VaultServer } from "./vault-server.ts";

let server: VaultServer;
let vault: TestVault;
let client: Vault;
let greeting: string;
let reader: string;
beforeAll(async () => {
  server = await startVaultServer();
  vault = await openTestVault(server);
  greeting = `${vault.kvMount}/data/greeting`;
  reader = await vault.policy({ [greeting]: ["read"] });
  await vault.admin("POST", greeting, { data: { text: "hello" } });
});
afterAll(async () => {
  await vault.close();
  server.close();
});
beforeEach(async () => {
  server.fault = () => undefined;
  server.sealed = false;
  vault.closeClients();
  client = await vault.open(vault.rootAuth, { timeoutMs: 150 });
  server.requests.length = 0;
});

const greet = async (from = client) => stringAt(await from.read(greeting), "data", "data", "text");
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );
const asked = (request: string) => server.requests.filter((it) => it === request).length;

/** For the first `times` requests of this kind. */
function failing(request: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  server.fault = (it) => {
    if (it !== request || left <= 0) return undefined;
    left -= 1;
    return fault;
  };
}

const passing: readonly (readonly [string, Fault])[] = [
  ["429", { status: 429, error: 'request path "kv/data/greeting": rate limit quota exceeded' }],
  ["500", { status: 500, error: "internal error" }],
  ["502", { status: 502, error: "" }],
  ["503 sealed", { status: 503, error: "Vault is sealed" }],
  ["412", { status: 412, error: "required index state not present" }],
  ["no answer", "hang"],
  ["half an answer", "half"],
  ["a cut connection", "cut"],
];

describe("what passes", () => {
  test.each(passing)("once: %s is not noticed", async (_name, fault) => {
    failing(`GET ${greeting}`, fault, 1);
    expect(await greet()).toBe("hello");
    expect(asked(`GET ${greeting}`)).toBe(2);
  });

  test.each(passing)("for good: %s ends in VaultUnavailable, after few tries, in time", async (_name, fault) => {
    failing(`GET ${greeting}`, fault);
    const since = performance.now();
    expect(await refusal(greet())).toBeInstanceOf(VaultUnavailable);
    expect(performance.now() - since).toBeLessThan(1_500);
    expect(asked(`GET ${greeting}`)).toBeWithin(2, 5);
  });

  test("sealed and unsealed again, with the same token", async () => {
    server.sealed = true;
    expect(String(await refusal(greet()))).toContain("Vault is sealed");
    server.sealed = false;
    expect(await greet()).toBe("hello");
  });

  test("nobody there", async () => {
    const opening = vault.open(vault.rootAuth, { address: "http://127.0.0.1:1", timeoutMs: 150 });
    expect(String(await refusal(opening))).toContain("Vault was not reached (ECONNREFUSED");
  });
});

test.each([
  [400, VaultError],
  [403, VaultForbidden],
  [404, VaultNotFound],
  [405, VaultError],
])("%d is an answer: asked once", async (status, type) => {
  failing(`GET ${greeting}`, { status, error: "no" });
  const refused = await refusal(greet());
  expect(refused).toBeInstanceOf(type);
  expect(refused).not.toBeInstanceOf(VaultUnavailable);
  expect(asked(`GET ${greeting}`)).toBe(1);
});

test("something else at this address is no Vault", async () => {
  const other = Bun.serve({ port: 0, fetch: () => Response.json({ hello: "world" }) });
  expect(String(await refusal(vault.open(vault.rootAuth, { address: other.url.origin })))).toContain("is something else at this address?");
  await other.stop(true);
});

test("a standby's redirect is followed, with body and token", async () => {
  const path = `${vault.kvMount}/data/redirected`;
  failing(`POST ${path}`, { redirect: `${server.address}/v1/${path}` }, 1);
  await client.write(path, { data: { text: "hello" } });
  expect(stringAt(await client.read(path), "data", "data", "text")).toBe("hello");
});

test("what is in the environment for Vault's own tools changes nothing", async () => {
  const ours = { VAULT_PREFIX: "/elsewhere", VAULT_NAMESPACE: "elsewhere", VAULT_TOKEN: "hvs.elsewhere" };
  const before = Object.keys(ours).map((key) => [key, process.env[key]] as const);
  Object.assign(process.env, ours);
  try {
    expect(await greet(await vault.open(await vault.createAppRole({ token_policies: [reader] })))).toBe("hello");
  } finally {
    for (const [key, value] of before) {
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
    }
  }
});

test("DEBUG, which has every package below print, prints no token and no value", async () => {
  const script = `
    import { openVault } from ${JSON.stringify(join(import.meta.dir, "../../app/platform/vault/client.ts"))};
    const auth = { method: "token", token: ${JSON.stringify(server.rootToken)} };
    const log = { info() {}, warn() {} };
    const vault = await openVault({ address: ${JSON.stringify(server.address)}, auth, timeoutMs: 1_000, now: () => new Date(), log });
    await vault.write(${JSON.stringify(`${vault.kvMount}/data/debugged`)}, { data: { text: "a-secret-value" } });
    vault.close();
    console.log("done");
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { env: { ...process.env, DEBUG: "*" }, stdout: "pipe", stderr: "pipe" });
  const printed = (await child.stdout.text()) + (await child.stderr.text());
  expect(printed).toContain("done");
  for (const secret of [server.rootToken, "a-secret-value"]) expect(printed).not.toContain(secret);
});

test("a namespace has mounts of its own", async () => {
  const inTeam = await vault.open(vault.rootAuth, { namespace: "team-a" });
  await inTeam.write("sys/mounts/team-kv", { type: "kv", options: { version: "2" } });
  const values = (from: Vault) =>
    createKvValues({
      vault: from,
      mount: "team-kv",
      prefix: "keelson",
      ttlMs: 0,
      staleMs: 0,
      onStale: () => undefined,
      now: () => new Date(),
    });
  await values(inTeam).put("name", Buffer.from("team a"));
  expect(Buffer.from(await values(inTeam).get("name")).toString()).toBe("team a");
  for (const namespace of [undefined, "team-b"])
    expect(await refusal(values(await vault.open(vault.rootAuth, { namespace })).get("name"))).toBeInstanceOf(VaultNotFound);
});

test("a refusal of the old token that comes late does not fail: there is a new one already", async () => {
  const from = await vault.open(await vault.createAppRole({ token_policies: [reader] }));
  await vault.admin("POST", "auth/token/revoke", { token: stringAt(await from.read("auth/token/lookup-self"), "data", "id") });
  const released = Promise.withResolvers<void>();
  failing(`GET ${greeting}`, { answerAfter: released.promise }, 1);
  const late = greet(from);
  await until("it was asked", () => asked(`GET ${greeting}`) === 1);
  expect(await greet(from)).toBe("hello");
  released.resolve();
  expect(await late).toBe("hello");
  expect(asked("POST auth/approle/login")).toBe(2);
});

describe("renewal", () => {
  const renewal = "POST auth/token/renew-self";

  test("is tried again while Vault is away for a moment, and the token is kept", async () => {
    const { log, count } = capturedLog();
    const from = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "4s" }), { log, timeoutMs: 150 });
    let renewed = false;
    server.fault = (request) => {
      if (request !== renewal) return undefined;
      renewed = count("was not renewed") > 0;
      return renewed ? undefined : { status: 503, error: "Vault is sealed" };
    };
    const since = performance.now();
    await until("it was renewed after a failure, and the lease is over", () => renewed && performance.now() - since > 4_200, 20_000);
    expect(await greet(from)).toBe("hello");
    expect(count("logged in to Vault")).toBe(1);
  }, 30_000);

  test("of a token near the end of its longest life is tried once, then there is a new one", async () => {
    const { log, count } = capturedLog();
    await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "4s", token_max_ttl: "4s" }), { log });
    await until("it has logged in again", () => count("logged in to Vault") === 2);
    expect(asked(renewal)).toBe(1);
  }, 30_000);

  test("that Vault refuses is a new log-in", async () => {
    const { log, count } = capturedLog();
    const from = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "1s" }), { log });
    failing(renewal, { status: 403, error: "permission denied" });
    await until("it has logged in again", () => count("logged in to Vault") === 2);
    expect(await greet(from)).toBe("hello");
  }, 30_000);

  test("after an outage longer than the lease the next request logs in", async () => {
    const { log, count } = capturedLog();
    const from = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "1s" }), { log, timeoutMs: 100 });
    const since = performance.now();
    server.sealed = true;
    await until("the lease is over", () => performance.now() - since > 1_100);
    expect(await refusal(greet(from))).toBeInstanceOf(VaultUnavailable);
    server.sealed = false;
    expect(await greet(from)).toBe("hello");
    expect(count("logged in to Vault")).toBe(2);
    expect(asked(`GET ${greeting}`)).toBe(1);
  }, 30_000);

  test("ends with close, and so do tries", async () => {
    const from = await vault.open(await vault.createAppRole({ token_policies: [reader], token_ttl: "1s" }), { timeoutMs: 5_000 });
    failing(`GET ${greeting}`, { status: 429, error: "" });
    const waiting = refusal(greet(from));
    await until("it has been asked three times", () => asked(`GET ${greeting}`) === 3);
    const since = performance.now();
    from.close();
    from.close();
    expect(await waiting).toBeInstanceOf(VaultUnavailable);
    expect(asked(`GET ${greeting}`)).toBe(3);
    await until("the lease is over", () => performance.now() - since > 1_100);
    expect(asked(renewal)).toBe(0);
  }, 30_000);
});

describe("log-in with a service account of Kubernetes", () => {
  const jwts = { one: "header.one.signature", two: "header.two.signature", stranger: "header.stranger.signature" };
  const file = join(tmpdir(), `keelson-service-account-${process.pid}`);
  beforeAll(async () => {
    for (const jwt of [jwts.one, jwts.two]) server.serviceAccounts.set(jwt, { name: "keelson", namespace: "prod" });
    server.serviceAccounts.set(jwts.stranger, { name: "keelson", namespace: "staging" });
    const bound = { bound_service_account_names: ["keelson"], bound_service_account_namespaces: ["prod"] };
    await vault.admin("POST", "auth/kubernetes/role/keelson", { ...bound, token_policies: [reader] });
  });
  afterAll(() => Bun.file(file).delete());
  const auth = { method: "kubernetes", role: "keelson", jwtFile: file } as const;

  test("takes the token in the file, and the one that replaced it at the next log-in", async () => {
    await Bun.write(file, `${jwts.one}\n`);
    const from = await vault.open(auth);
    expect(await greet(from)).toBe("hello");
    server.serviceAccounts.delete(jwts.one);
    await Bun.write(file, jwts.two);
    await vault.admin("POST", "auth/token/revoke", { token: stringAt(await from.read("auth/token/lookup-self"), "data", "id") });
    expect(await greet(from)).toBe("hello");
  });

  test.each([
    ["of another namespace", jwts.stranger, "keelson", "permission denied"],
    ["that is none", "nothing", "keelson", "permission denied"],
    ["for a role that does not exist", jwts.two, "nobody", "invalid role name"],
  ])("is refused for one %s", async (_name, jwt, role, words) => {
    await Bun.write(file, jwt);
    const refused = await refusal(vault.open({ ...auth, role }));
    expect(refused).toBeInstanceOf(VaultForbidden);
    expect(String(refused)).toContain(words);
    expect(String(refused)).not.toContain(jwt === "nothing" ? "jwt" : jwt);
  });

  test("names the file that is not there", async () => {
    const refused = await refusal(vault.open({ ...auth, jwtFile: "/nowhere/token" }));
    expect(refused).toBeInstanceOf(VaultForbidden);
    expect(String(refused)).toContain("/nowhere/token");
  });
});

test("a Vault too old for associated data wraps nothing", async () => {
  const mount = vault.transitMount;
  await vault.admin("POST", `${mount}/keys/keelson`, {});
  server.transit(mount).ignoresAssociatedData = true;
  const root = createTransitRootKey({ vault: client, mount, keyName: "keelson" });
  for (let again = 0; again < 2; again += 1)
    expect(String(await refusal(root.wrap(new Uint8Array(32), "key 1")))).toContain("1.12 or newer");
  server.transit(mount).ignoresAssociatedData = false;
  expect(await root.unwrap(await root.wrap(new Uint8Array(32), "key 1"), "key 1")).toHaveLength(32);
});
