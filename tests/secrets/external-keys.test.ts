import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemNow as now } from "../../app/platform/clock.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createRecordAccess } from "../../app/services/secrets/audit/record.ts";
import { createProbe } from "../../app/services/secrets/external-keys/probe.ts";
import { createExternalKeyService } from "../../app/services/secrets/external-keys/service.ts";
import { createExternalKeyStore } from "../../app/services/secrets/external-keys/store.ts";
import { createTenantWork } from "../../app/services/secrets/tenant-work.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { keyOf, makeTeam } from "./secrets.ts";

const good = `sk-${randomToken(24)}`;
const forbidden = `sk-ant-${randomToken(24)}`;
const seen: { readonly path: string; readonly headers: Record<string, string> }[] = [];
/** Answers as the services do: 200 to the key it knows, 401 to others, and nothing at all when it is down. */
let isDown = false;
const provider = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (asked) => {
    const headers = Object.fromEntries(asked.headers);
    seen.push({ path: new URL(asked.url).pathname, headers });
    if (isDown) return new Response("down", { status: 503 });
    if (headers["x-api-key"] !== undefined) return Response.json({ error: { type: "permission_error" } }, { status: 403 });
    const isGood = headers.authorization === `Bearer ${good}`;
    return Response.json(isGood ? { data: [] } : { error: { code: "invalid_api_key" } }, { status: isGood ? 200 : 401 });
  },
});
const base = `http://127.0.0.1:${provider.port}`;
const running = sharedCopy("postgres", { ...adminSettings, OPENAI_BASE_URL: `${base}/v1`, ANTHROPIC_BASE_URL: base });
let user: SignedInUser;
let database: DatabaseClient;
beforeAll(async () => {
  user = await signUp(running.url);
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test external keys" });
});
afterAll(async () => {
  await database.close();
  await provider.stop(true);
});
const call = (path = "", options: Parameters<typeof request>[2] = {}) =>
  request(running.url, `/v1/external-keys${path}`, { token: user.token, ...options });
const bring = (body: object, options = {}) => call("", { body: { service: "openai", key: good, ...body }, ...options });
const other = () => `sk-${randomToken(24)}`;

test("brought, seen by its last characters, used, replaced, and forgotten; the key is in no answer, event or row", async () => {
  const created = await bring({ name: "mine" });
  expect(created.status).toBe(201);
  const { id } = created.body.externalKey;
  expect(created.body.externalKey).toMatchObject({ service: "openai", name: "mine", hint: `…${good.slice(-4)}`, status: "unverified" });
  expect((await call(`/${id}`)).body).toEqual(created.body);
  expect((await call("?service=openai")).body.data).toEqual([created.body.externalKey]);
  const key = other();
  const replaced = await call(`/${id}`, { method: "PATCH", body: { key, name: "renamed" } });
  expect(replaced.body.externalKey).toMatchObject({ id, name: "renamed", hint: `…${key.slice(-4)}`, status: "unverified" });
  const rows =
    await database.sql`select t::text as row from external_keys t union all select t::text from audit_log t union all select t::text from outbox t`;
  for (const secret of [good, key])
    for (const spelling of [secret, Buffer.from(secret).toString("hex")])
      expect(rows.some(({ row }) => row.includes(spelling))).toBe(false);
  expect(JSON.stringify([created.body, replaced.body])).not.toContain(key.slice(0, -4));
  expect((await call(`/${id}`, { method: "DELETE" })).status).toBe(204);
  expectProblem(await call(`/${id}`), "not_found");
  const acts = await database.sql`select action from audit_log where subject = ${id} order by at, id`;
  expect(acts.map(({ action }) => action)).toEqual(["external_key.created", "external_key.updated", "external_key.deleted"]);
});

describe("the service is asked", () => {
  test("a key that it takes is valid", async () => {
    const { body } = await bring({ name: "good", probe: true });
    expect(body.externalKey.status).toBe("valid");
    expect(seen.at(-1)).toMatchObject({ path: "/v1/models", headers: { authorization: `Bearer ${good}` } });
  });
  test("one that it refuses is not kept", async () => {
    const answer = await bring({ name: "bad", key: other(), probe: true });
    expectProblem(answer, "validation_failed");
    expect(pointersOf(answer)).toEqual(["/key"]);
    expect((await call()).body.data.map(({ name }: { name: string }) => name)).not.toContain("bad");
  });
  test("later, in the way of the service; a change of what it says is told", async () => {
    const { id } = (await bring({ service: "anthropic", name: "later", key: forbidden })).body.externalKey;
    const probed = await call(`/${id}/probe`, { method: "POST" });
    expect(probed.body.externalKey).toMatchObject({ status: "invalid", checkedAt: expect.any(String) });
    expect(seen.at(-1)).toMatchObject({ path: "/v1/models", headers: { "x-api-key": forbidden, "anthropic-version": "2023-06-01" } });
    await call(`/${id}/probe`, { method: "POST" });
    const told = await database.sql`select data from audit_log where subject = ${id} and action = 'external_key.checked'`;
    expect(told).toMatchObject([{ data: { status: "invalid" } }]);
  });
  test("one that is down says nothing", async () => {
    isDown = true;
    const { body } = await bring({ name: "down", key: other(), probe: true });
    isDown = false;
    expect([body.externalKey.status, body.externalKey.checkedAt]).toEqual(["unverified", expect.any(String)]);
  });
  test("one that can't be asked stays unverified", async () => {
    const { id } = (await bring({ service: "custom", name: "c", key: "something-else" })).body.externalKey;
    expect((await call(`/${id}/probe`, { method: "POST" })).body.externalKey.status).toBe("unverified");
  });
});

test.each([
  ["a service that is not known", { service: "nobody" }, "/service"],
  ["another service's key", { service: "anthropic" }, "/key"],
  ["half a key", { key: "sk-1" }, "/key"],
  ["a key with a line break", { key: `${good}\nx` }, "/key"],
  ["a SID without its token", { service: "twilio", key: `AC${"0".repeat(32)}` }, "/key"],
  ["no name", { name: "" }, "/name"],
  ["a field too many", { colour: "red" }, "/colour"],
])("%s: 400", async (_, body, pointer) => {
  const answer = await bring(body);
  expectProblem(answer, "validation_failed");
  expect(pointersOf(answer)).toEqual([pointer]);
  expect(JSON.stringify(answer.body)).not.toContain(good);
});

test("a name or a key that is here already: 409", async () => {
  const key = other();
  await bring({ name: "twice", key });
  expectProblem(await bring({ name: "twice", key: other() }), "conflict");
  expectProblem(await bring({ name: "another", key }), "conflict");
  const { id } = (await bring({ name: "third", key: other() })).body.externalKey;
  expectProblem(await call(`/${id}`, { method: "PATCH", body: { name: "twice" } }), "conflict");
  expectProblem(await call(`/${id}`, { method: "PATCH", body: { key: "sk-1" } }), "validation_failed");
});

test("whose it is: somebody else's is not there, also for an administrator; a team's by role and scope", async () => {
  const { id } = (await bring({ name: "own", key: other() })).body.externalKey;
  const stranger = await signUp(running.url);
  const admin = await adminToken(running.url);
  for (const token of [stranger.token, admin])
    for (const [method, path] of [
      ["GET", `/${id}`],
      ["DELETE", `/${id}`],
      ["POST", `/${id}/probe`],
    ] as const)
      expectProblem(await call(path, { method, token }), "not_found");
  expectProblem(await bring({ scope: "system", key: other() }), "forbidden");
  expect((await bring({ scope: "system", key: other() }, { token: admin })).status).toBe(201);

  const team = await makeTeam(running.url, user, async (teamId, userId, role) => {
    await database.sql`insert into team_members (team_id, user_id, role, created_at) values (${teamId}, ${userId}, ${role}, now())`;
  });
  const ours = (await bring({ name: "ours", key: other(), teamId: team.id })).body.externalKey;
  expect(ours.teamId).toBe(team.id);
  expect((await call(`/${ours.id}`, { token: team.viewer.token })).status).toBe(200);
  expectProblem(await call(`/${ours.id}`, { method: "DELETE", token: team.viewer.token }), "forbidden");
  expectProblem(await call(`/${ours.id}`, { token: stranger.token }), "not_found");
  const reader = await keyOf(running.url, user, { scopes: ["secrets:read"] });
  const asKey = (path: string, key: string, method = "GET") =>
    request(running.url, `/v1/external-keys${path}`, { method, headers: { "x-api-key": key } });
  expect((await asKey(`/${id}`, reader)).status).toBe(200);
  expectProblem(await asKey(`/${id}`, reader, "DELETE"), "insufficient_scope");
  const teamKey = await keyOf(running.url, user, { scopes: ["secrets:write"], teamId: team.id });
  expect((await asKey("", teamKey)).body.data.map((it: { id: string }) => it.id)).toEqual([ours.id]);
  expectProblem(await asKey(`/${id}`, teamKey), "not_found");
});

describe("for the parts of the program that use them", () => {
  test("the newest that is not refused, or the named one; its use is in the trail before it is given", async () => {
    const owner = await signUp(running.url);
    await using opened = await openSealOf(running.config);
    const transact = createTransact({ db: database.db, now, wake: () => undefined });
    const keys = createExternalKeyService({
      store: createExternalKeyStore(database.db),
      seal: opened.seal,
      transact,
      tenants: createTenantWork({ transact, can: () => true }),
      probe: createProbe({}),
      recordAccess: createRecordAccess(transact),
      now,
    });
    const [old, fresh] = [other(), other()];
    const first = (await bring({ name: "old", key: old }, { token: owner.token })).body.externalKey;
    const second = (await bring({ name: "fresh", key: fresh }, { token: owner.token })).body.externalKey;
    const usedBy = { service: "ai", subject: "req_1" };
    const pick = (name?: string) => keys.keyFor({ ownerId: owner.id }, { service: "openai", name }, usedBy);
    expect(await pick()).toEqual({ id: second.id, key: fresh });
    expect(await pick("old")).toEqual({ id: first.id, key: old });
    expect(await keys.keyFor({ ownerId: owner.id }, { service: "mistral" }, usedBy)).toBeUndefined();
    const uses =
      await database.sql`select subject, data from audit_log where action = 'external_key.used' and audience = ${owner.id} order by at, id`;
    expect(uses.map(({ subject }) => subject)).toEqual([second.id, first.id]);
    expect(uses[0]?.data).toMatchObject({ usedBy });
    await keys.markInvalid(second.id);
    expect(await pick()).toEqual({ id: first.id, key: old });
    await database.sql`update external_keys set key = (select key from external_keys where id = ${second.id}) where id = ${first.id}`;
    expect(pick()).rejects.toThrow();
  });
});
