import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createExportStore } from "../../app/services/tasks/exports/store.ts";
import { openDatabase } from "../../db/client.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const running = sharedCopy("postgres", adminSettings);
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const ask = (path: string, token: string, options = {}) => request(running.url, path, { token, ...options });
const newExport = async ({ token }: SignedInUser) => (await ask("/v1/exports", token, { method: "POST" })).body.export;
const newImport = ({ token }: SignedInUser, body: unknown) => ask("/v1/imports", token, { body });

async function endOf(path: string, { token }: SignedInUser) {
  return until("it has ended", async () => {
    const { body } = await ask(path, token);
    const it = body.export ?? body.import;
    return ["completed", "failed", "dead"].includes(it.status) && it;
  });
}

async function exportOf(user: SignedInUser) {
  const { id } = await newExport(user);
  await endOf(`/v1/exports/${id}`, user);
  return ask(`/v1/exports/${id}/download`, user.token);
}

async function imported(user: SignedInUser, document: unknown) {
  const answer = await newImport(user, document);
  expect(answer.status).toBe(202);
  return endOf(`/v1/imports/${answer.body.import.id}`, user);
}

const schedulesOf = async ({ token }: SignedInUser) => (await ask("/v1/schedules", token)).body.data;
const program = { code: "1 + 1" };
const weekly = { name: "weekly", cron: "0 9 * * MON", timezone: "Europe/Berlin", queue: "sandbox-execution", input: program };

describe("an export", () => {
  test("has everything of its owner, and nothing of others or secret", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    await ask("/v1/me", user.token, { method: "PATCH", body: { name: "Ada" } });
    await ask("/v1/schedules", user.token, { body: weekly });
    const taskId = await tasksOf(running.url, user).add("6 * 7");
    await until("it has run", async () => (await tasksOf(running.url, user).status(taskId)) === "completed");
    const theirs = await tasksOf(running.url, other).add("1");
    const { status, body, headers } = await exportOf(user);
    expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([200, "application/json", "no-store"]);
    expect(headers.get("content-disposition")).toMatch(/^attachment; filename="keelson-exp_\w+\.json"$/);
    expect(body).toMatchObject({ format: "keelson.account-data", version: 1, userId: user.id });
    expect(body.data.auth.user).toMatchObject({ id: user.id, email: user.email, name: "Ada" });
    expect(body.data.schedules).toMatchObject([weekly]);
    const task = body.data.tasks.find(({ id }: { id: string }) => id === taskId);
    expect(task).toMatchObject({ status: "completed", input: { code: "6 * 7" }, result: { output: 42 } });
    for (const secret of [theirs, other.id, "argon2", user.refreshToken]) expect(JSON.stringify(body)).not.toContain(secret);
  });

  test("is kept sealed, and its asking and every download are audited", async () => {
    const user = await signUp(running.url);
    const { id } = await newExport(user);
    const { bytes, expiresAt, finishedAt } = await endOf(`/v1/exports/${id}`, user);
    expect(bytes).toBeGreaterThan(500);
    expect(Date.parse(expiresAt) - Date.parse(finishedAt)).toBe(7 * 86_400_000);
    await ask(`/v1/exports/${id}/download`, user.token);
    const [row] = await database`select encode(document, 'escape') as document from data_exports where id = ${id}`;
    expect(row?.document).not.toContain(user.email);
    const acts = await database`select action from audit_log where subject = ${id} order by id`;
    expect(acts.map(({ action }) => action)).toEqual(["export.requested", "export.downloaded"]);
  });

  test("is its owner's alone: 404 for others and for administrators; no API key reaches it", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    const { id } = await newExport(user);
    await endOf(`/v1/exports/${id}`, user);
    for (const token of [other.token, await adminToken(running.url)])
      for (const path of [`/v1/exports/${id}`, `/v1/exports/${id}/download`]) expectProblem(await ask(path, token), "not_found");
    const { key } = (await ask("/v1/api-keys", user.token, { body: { name: "all", scopes: ["tasks:read", "tasks:write"] } })).body;
    expectProblem(await ask(`/v1/exports/${id}/download`, key), "insufficient_scope");
    expectProblem(await ask("/v1/imports", key, { body: {} }), "insufficient_scope");
  });

  test("that is not written yet is 409; asked for again meanwhile it is the same one", async () => {
    const admin = await adminToken(running.url);
    const user = await signUp(running.url);
    await ask("/v1/queues/export-user-data/pause", admin, { method: "POST" });
    try {
      const first = await newExport(user);
      expectProblem(await ask(`/v1/exports/${first.id}/download`, user.token), "export_not_ready");
      expect((await newExport(user)).id).toBe(first.id);
      await ask("/v1/queues/export-user-data/resume", admin, { method: "POST" });
      await endOf(`/v1/exports/${first.id}`, user);
      expect((await newExport(user)).id).not.toBe(first.id);
    } finally {
      await ask("/v1/queues/export-user-data/resume", admin, { method: "POST" });
    }
  });

  test("is gone when it has expired; only the newest three are kept", async () => {
    const user = await signUp(running.url);
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const { id } = await newExport(user);
      await endOf(`/v1/exports/${id}`, user);
      ids.push(id);
    }
    const statuses = await Promise.all(ids.map(async (id) => (await ask(`/v1/exports/${id}`, user.token)).status));
    expect(statuses).toEqual([404, 200, 200, 200]);
    await database`update data_exports set expires_at = now() where id = ${ids[3] ?? ""}`;
    expectProblem(await ask(`/v1/exports/${ids[3]}/download`, user.token), "not_found");
  });
});

describe("an import", () => {
  test("of an export makes its name and schedules anew for whoever sends it; a second time nothing", async () => {
    const [ada, grace] = [await signUp(running.url), await signUp(running.url)];
    await ask("/v1/me", ada.token, { method: "PATCH", body: { name: "Ada" } });
    await ask("/v1/schedules", ada.token, { body: weekly });
    await ask("/v1/schedules", ada.token, { body: { everyMs: 3_600_000, queue: "sandbox-execution", input: program, paused: true } });
    const { body: document } = await exportOf(ada);

    expect((await imported(grace, document)).result).toEqual({ imported: { name: true, schedules: 2 }, skipped: [] });
    expect((await ask("/v1/me", grace.token)).body.user).toMatchObject({ id: grace.id, email: grace.email, name: "Ada", role: "user" });
    const made = await schedulesOf(grace);
    expect(made).toMatchObject([
      { everyMs: 3_600_000, paused: true },
      { name: "weekly", cron: weekly.cron, timezone: weekly.timezone, paused: false },
    ]);
    expect(made.map(({ id }: { id: string }) => id)).not.toContain(document.data.schedules[0].id);

    const again = await imported(grace, document);
    expect(again.result.imported.schedules).toBe(0);
    expect(again.result.skipped).toHaveLength(2);
    expect(await schedulesOf(grace)).toHaveLength(2);
  });

  test("of a document that is being imported is that import: nothing is made twice", async () => {
    const [admin, user] = [await adminToken(running.url), await signUp(running.url)];
    const document = (name: string) => {
      const bounds = { cron: null, everyMs: 3_600_000, timezone: "UTC", missed: "once", startsAt: null, endsAt: null };
      const schedules = [{ ...bounds, name, queue: "sandbox-execution", input: program, paused: false }];
      return { format: "keelson.account-data", version: 1, data: { schedules } };
    };
    const queue = (verb: string) => ask(`/v1/queues/import-user-data/${verb}`, admin, { method: "POST" });
    await queue("pause");
    const ids: string[] = [];
    try {
      const sent = [document("one"), document("one"), document("other")].map((it) => newImport(user, it));
      for (const { body } of await Promise.all(sent)) ids.push(body.import.id);
      expect(ids[1]).toBe(ids[0] ?? "");
      expect(ids[2]).not.toBe(ids[0] ?? "");
    } finally {
      await queue("resume");
    }
    for (const id of ids) await endOf(`/v1/imports/${id}`, user);
    const names = (await schedulesOf(user)).map(({ name }: { name: string }) => name);
    expect(names.toSorted()).toEqual(["one", "other"]);
    expect((await newImport(user, document("one"))).body.import.id).not.toBe(ids[0]);
  });

  test("says what it leaves out, and makes the rest", async () => {
    const user = await signUp(running.url);
    const of = (more: object) => ({
      ...{ cron: null, everyMs: null, timezone: "UTC", queue: "sandbox-execution", input: program, name: null, paused: false },
      ...{ missed: "once", startsAt: null, endsAt: null },
      ...more,
    });
    const schedules = [
      of({ cron: "0 0 * * *", endsAt: "2020-01-01T00:00:00Z" }),
      of({ cron: "0 0 * * *" }),
      of({ cron: "0 0 * * *", queue: "maintenance" }),
      of({ cron: "0 1 * * *", input: {} }),
    ];
    const { result } = await imported(user, { format: "keelson.account-data", version: 1, data: { schedules } });
    expect(result.imported).toEqual({ name: false, schedules: 1 });
    expect(result.skipped.map(({ pointer }: { pointer: string }) => pointer)).toEqual([0, 2, 3].map((n) => `/data/schedules/${n}`));
    for (const { reason } of result.skipped) expect(reason).toMatch(/tick|queue|code/);
  });

  const head = { format: "keelson.account-data", version: 1 };
  test.each<[unknown, string[]]>([
    [{}, ["/format", "/version", "/data"]],
    [{ ...head, format: "csv", data: {} }, ["/format"]],
    [{ ...head, version: 2, data: {} }, ["/version"]],
    [{ ...head, data: {}, role: "admin" }, ["/role"]],
    [{ ...head, data: { auth: { user: { name: "a\u202eb" } } } }, ["/data/auth/user/name"]],
    [{ ...head, data: { schedules: {} } }, ["/data/schedules"]],
  ])("%j: 400 at %j, and nothing is made", async (body, pointers) => {
    const user = await signUp(running.url);
    expect(pointersOf(await newImport(user, body))).toEqual(pointers);
    expect(await tasksOf(running.url, user).list()).toEqual([]);
  });

  test("beyond 256 KiB is 413; somebody else's is 404", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    const { id } = (await newImport(user, { ...head, data: {} })).body.import;
    expectProblem(await ask(`/v1/imports/${id}`, other.token), "not_found");
    expectProblem(await ask("/v1/imports/imp_0199", user.token), "not_found");
    await ask("/v1/schedules", user.token, { body: weekly });
    const { body: document } = await exportOf(user);
    const [schedule] = document.data.schedules;
    const large = Array.from({ length: 4 }, () => ({ ...schedule, input: { code: "x".repeat(90_000) } }));
    expectProblem(await newImport(user, { ...document, data: { schedules: large } }), "payload_too_large");
  });
});

test("what has expired is swept away, and nothing else", async () => {
  const user = await signUp(running.url);
  const [{ id: old }, kept] = [await newExport(user), await signUp(running.url)];
  await endOf(`/v1/exports/${old}`, user);
  const { id: fresh } = await newExport(kept);
  await database`update data_exports set expires_at = now() - interval '1 second' where id = ${old}`;
  const client = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test" });
  // The housekeeping of the copy may come first.
  await createExportStore(client.db).purgeExpired();
  await client.close();
  const left = await database`select id from data_exports where id in ${database([old, fresh])}`;
  expect(left.map(({ id }) => id)).toEqual([fresh]);
});

test("the end of the account takes its exports", async () => {
  const user = await signUp(running.url);
  const { id } = await newExport(user);
  await endOf(`/v1/exports/${id}`, user);
  expect((await ask("/v1/me", user.token, { method: "DELETE" })).status).toBeLessThan(300);
  await until("it is gone", async () => (await database`select 1 from data_exports where id = ${id}`).length === 0);
});
