import { describe, expect, test } from "bun:test";
import type postgres from "postgres";
import { readConfig } from "../../app/config.ts";
import type { Seal } from "../../app/platform/seal.ts";
import { request, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem } from "../problem.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testPostgres } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";

interface KeyView {
  readonly version: number;
  readonly state: string;
  readonly uses: number;
}

/** One log-in a copy: tries are bounded. */
const tokens = new Map<string, string>();
async function tokenAt(url: string): Promise<string> {
  const token = tokens.get(url) ?? (await adminToken(url));
  tokens.set(url, token);
  return token;
}
async function keysOf(url: string): Promise<readonly KeyView[]> {
  return (await request(url, "/v1/admin/keys", { token: await tokenAt(url) })).body.data;
}
const stateOf = async (url: string, version: number) => (await keysOf(url)).find((key) => key.version === version)?.state;
const rotate = async (url: string) => request(url, "/v1/admin/keys/rotate", { method: "POST", token: await tokenAt(url) });

/** Rows as an answer that was kept leaves them, which no client has to be asked for. */
async function keepAnswers(sql: postgres.Sql, seal: Seal, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, n) => ({
    scope: "user:many",
    key: String(n).padStart(6, "0"),
    fingerprint: "f",
    status: 200,
    content_type: "text/plain",
    body: Buffer.from(seal.seal(Buffer.from(`answer ${n}`), `answer:user:many:${String(n).padStart(6, "0")}`)),
    expires_at: new Date(Date.now() + 3_600_000).toISOString(),
  }));
  for (let at = 0; at < count; at += 5_000) await sql`insert into idempotency_keys ${sql(rows.slice(at, at + 5_000))}`;
}

async function assertAllOpen(sql: postgres.Sql, seal: Seal): Promise<number> {
  const rows = await sql`select key, body from idempotency_keys where scope = 'user:many'`;
  for (const { key, body } of rows)
    expect(Buffer.from(seal.open(body, `answer:user:many:${key}`)).toString()).toBe(`answer ${Number(key)}`);
  return rows.length;
}

describe("while everything that is stored moves to a new key", () => {
  const running = sharedCopy("postgres", { ...adminSettings, KEELSON_KEY_OVERLAP_SECONDS: "4" });

  test("only administrators see and rotate keys", async () => {
    const { token } = await signUp(running.url);
    expectProblem(await request(running.url, "/v1/admin/keys", { token }), "forbidden");
    expectProblem(await request(running.url, "/v1/admin/keys/rotate", { method: "POST", token }), "forbidden");
    expectProblem(await request(running.url, "/v1/admin/keys"), "unauthenticated");
    expect((await keysOf(running.url)).map(({ version, state }) => [version, state])).toEqual([[1, "in_force"]]);
  });

  test("every read goes on, and the old key ends disabled", async () => {
    const { url } = running;
    const { token } = await signUp(url);
    await using opened = await openSealOf(running.config);
    await keepAnswers(opened.sql, opened.seal, 3_000);
    await request(url, "/v1/auth/mfa/totp", { method: "POST", token });
    await request(url, "/v1/subscriptions", { token, body: { pattern: "task.*", url: "https://example.com/hook" } });
    const kept = { token, body: { code: "Math.random()" }, headers: { "idempotency-key": "before" } };
    const { output } = (await request(url, "/v1/sandbox/executions", kept)).body.execution;
    const asked = (await request(url, "/v1/exports", { method: "POST", token })).body.export;
    await until("it is there", async () => (await request(url, `/v1/exports/${asked.id}`, { token })).body.export.status === "completed");
    const usesBefore = (await keysOf(url))[0]?.uses ?? 0;
    expect(usesBefore).toBeGreaterThan(3_005);

    const first = await rotate(url);
    expect([first.status, first.body.key.version, first.body.key.state]).toEqual([202, 2, "coming"]);
    expect((await rotate(url)).body).toMatchObject({ key: { version: 2 }, taskId: first.body.taskId });
    await until(
      "the old key is disabled",
      async () => {
        expect((await request(url, "/v1/sandbox/executions", kept)).body.execution.output).toBe(output);
        expect((await request(url, `/v1/exports/${asked.id}/download`, { token })).status).toBe(200);
        return (await stateOf(url, 1)) === "disabled";
      },
      40_000,
    );
    expect((await keysOf(url)).map(({ version, state, uses }) => [version, state, uses > 0])).toEqual([
      [1, "disabled", false],
      [2, "in_force", true],
    ]);
    expect(await assertAllOpen(opened.sql, opened.seal)).toBe(3_000);
    const task = (await request(url, `/v1/tasks/${first.body.taskId}`, { token: await tokenAt(url) })).body.task;
    expect(task).toMatchObject({ status: "completed", result: { version: 2, disabled: [1], unreadable: {} } });
    const acts = await opened.sql`select action from audit_log where action like 'key.%' order by at, id`;
    expect(acts.map(({ action }) => action)).toEqual(["key.rotated", "key.disabled"]);
  }, 90_000);

  test("a value that was altered is told of, and holds nothing up", async () => {
    const { url } = running;
    await using opened = await openSealOf(running.config);
    await opened.sql`update idempotency_keys set body = set_byte(body, 30, get_byte(body, 30) # 1) where scope = 'user:many' and key = '000007'`;
    const { body } = await rotate(url);
    await until("it is done", async () => (await stateOf(url, 2)) === "disabled", 40_000);
    const { result } = (await request(url, `/v1/tasks/${body.taskId}`, { token: await tokenAt(url) })).body.task;
    expect(result.unreadable).toEqual({ idempotency_keys: 1 });
    await opened.sql`delete from idempotency_keys where scope = 'user:many' and key = '000007'`;
    expect(await assertAllOpen(opened.sql, opened.seal)).toBe(2_999);
  }, 60_000);
});

test("kill -9 in the middle: no value is lost, and the next copy goes on", async () => {
  await using data = await temporaryDataFolder();
  const settings = {
    ...adminSettings,
    DATABASE_URL: await testPostgres(),
    KEELSON_DATA_DIR: data.path,
    KEELSON_KEY_OVERLAP_SECONDS: "4",
    LOG_LEVEL: "warn",
  };
  const count = 40_000;
  const first = await runServer(settings);
  await whenReady(first);
  await using opened = await openSealOf(readConfig(undefined, settings));
  await keepAnswers(opened.sql, opened.seal, count);
  expect((await rotate(first.url)).status).toBe(202);
  const moved = async () => {
    const [row] = await opened.sql`
      select count(*)::int as count from idempotency_keys where scope = 'user:many' and substring(body from 2 for 4) = '\\x00000002'::bytea`;
    return row?.count ?? 0;
  };
  await until("some are moved and some are not", async () => (await moved()) > 0, 30_000);
  first.signal("SIGKILL");
  await first.exited;
  const half = await moved();
  expect(half).toBeGreaterThan(0);
  expect(half).toBeLessThan(count);
  expect(await assertAllOpen(opened.sql, opened.seal)).toBe(count);

  const second = await runServer(settings);
  await whenReady(second);
  await until("the old key is disabled", async () => (await stateOf(second.url, 1)) === "disabled", 60_000);
  expect(await moved()).toBe(count);
  expect(await assertAllOpen(opened.sql, opened.seal)).toBe(count);
  second.signal("SIGTERM");
  expect(await second.exited).toBe(0);
}, 150_000);
