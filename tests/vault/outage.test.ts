import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { VaultForbidden, VaultUnavailable } from "../../app/platform/vault/errors.ts";
import { createKvValues, type KvValues } from "../../app/platform/vault/kv.ts";
import { openTestVault, type TestVault } from "./vault.ts";
import { startVaultServer, type VaultServer } from "./vault-server.ts";

/** Values while Vault is away: always against our own server (`vault.ts` says why). */
let server: VaultServer;
let vault: TestVault;
beforeAll(async () => {
  server = await startVaultServer();
  vault = await openTestVault(server);
});
afterAll(async () => {
  await vault.close();
  server.close();
});

const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };
const [ttlMs, staleMs] = [60_000, 300_000];
let told: { readonly path: string; readonly ageMs: number }[] = [];
let prefix: string;
let values: KvValues;
beforeEach(async () => {
  server.fault = () => undefined;
  server.sealed = false;
  told = [];
  prefix = `test-${randomBytes(4).toString("hex")}`;
  values = createKvValues({
    vault: await vault.open(vault.rootAuth, { timeoutMs: 100 }),
    mount: vault.kvMount,
    prefix,
    ttlMs,
    staleMs,
    onStale: (stale) => told.push(stale),
    now: () => new Date(clock.ms),
  });
  for (const path of ["one", "two"]) {
    await values.put(path, Buffer.from(`value ${path}`));
    await values.get(path);
  }
  server.requests.length = 0;
});

const read = async (path = "one") => Buffer.from(await values.get(path)).toString();
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );

test("a stale value is given for its time, with an event, and not for ever", async () => {
  clock.ms += ttlMs;
  server.sealed = true;
  expect(await read()).toBe("value one");
  expect(told).toEqual([{ path: "one", ageMs: ttlMs }]);
  clock.ms += staleMs - 1;
  expect(await read()).toBe("value one");
  clock.ms += 1;
  expect(await refusal(read())).toBeInstanceOf(VaultUnavailable);
  expect(await refusal(read())).toBeInstanceOf(VaultUnavailable);
  server.sealed = false;
  expect(await read()).toBe("value one");
});

test("the event comes once a minute for each path, however often it is read", async () => {
  clock.ms += ttlMs;
  server.sealed = true;
  for (let second = 0; second < 150; second += 10) {
    for (const path of ["one", "one", "two"]) await read(path);
    clock.ms += 10_000;
  }
  const ages = (path: string) => told.filter((stale) => stale.path === path).map(({ ageMs }) => ageMs);
  expect([ages("one"), ages("two")]).toEqual([
    [60_000, 120_000, 180_000],
    [60_000, 120_000, 180_000],
  ]);
});

test("readers do not wait for the same time-out one after the other, and Vault is asked again every five seconds", async () => {
  clock.ms += ttlMs;
  server.fault = () => "hang";
  await read();
  const asked = server.requests.length;
  const since = performance.now();
  for (let again = 0; again < 100; again += 1) await read(again % 2 === 0 ? "one" : "two");
  expect(performance.now() - since).toBeLessThan(2_000);
  expect(server.requests.length).toBe(asked);
  clock.ms += 5_000;
  server.fault = () => undefined;
  await read();
  expect(server.requests.length).toBe(asked + 1);
});

test("an outage that is over is over at once", async () => {
  clock.ms += ttlMs;
  server.sealed = true;
  await read();
  server.sealed = false;
  clock.ms += 5_000;
  expect(await read()).toBe("value one");
  expect(told).toHaveLength(1);
  clock.ms += ttlMs - 1;
  server.sealed = true;
  expect(await read()).toBe("value one");
  expect(told).toHaveLength(1);
});

test("what is forbidden is not given as stale, also not in an outage right after", async () => {
  clock.ms += ttlMs;
  server.fault = () => ({ status: 403, error: "permission denied" });
  expect(await refusal(read())).toBeInstanceOf(VaultForbidden);
  server.fault = () => undefined;
  server.sealed = true;
  expect(await refusal(read())).toBeInstanceOf(VaultUnavailable);
  expect(told).toEqual([]);
});

test("what was deleted through us is not given as stale, whatever the answer was", async () => {
  clock.ms += ttlMs;
  server.fault = (request) => (request.startsWith("DELETE") ? "cut after" : undefined);
  await refusal(values.delete("one"));
  server.sealed = true;
  expect(await refusal(read())).toBeInstanceOf(VaultUnavailable);
});

test("many readers at once are one request", async () => {
  clock.ms += ttlMs;
  expect(new Set(await Promise.all(Array.from({ length: 50 }, () => read()))).size).toBe(1);
  expect(server.requests).toHaveLength(1);
});

test("a write whose answer was lost is done, once", async () => {
  let cut = 0;
  server.fault = (request) => {
    if (!request.startsWith("POST") || cut > 0) return undefined;
    cut += 1;
    return "cut after";
  };
  await values.put("lost", Buffer.from("there"));
  expect(cut).toBe(1);
  expect(await read("lost")).toBe("there");
  expect(await vault.admin("GET", `${vault.kvMount}/metadata/${prefix}/lost`)).toMatchObject({ data: { current_version: 1 } });
});
