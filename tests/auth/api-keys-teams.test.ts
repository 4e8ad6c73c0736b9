import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { readStream, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { until } from "../until.ts";

const admin = { KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: "correct horse battery staple" };
const withinMs = 1_000;
let first: TestCopy;
let second: TestCopy;
let database: postgres.Sql;

beforeAll(async () => {
  first = await startTestCopy("postgres", admin);
  const { config } = first;
  second = await startTestCopy("postgres", { DATABASE_URL: config.DATABASE_URL ?? "", KEELSON_KEY_PREFIX: config.KEELSON_KEY_PREFIX });
  database = postgres(config.DATABASE_URL ?? "", { max: 1 });
}, 60_000);
afterAll(async () => {
  await database.end();
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
}, 60_000);

const send = (method: string, path: string, token: string, body?: unknown) => request(first.url, path, { method, token, body });
const get = (path: string, token: string) => send("GET", path, token);
const make = async (token: string, body: object = {}) => {
  const answer = await send("POST", "/v1/api-keys", token, { name: "test", scopes: ["tasks:write", "sandbox:write"], ...body });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return { key: answer.body.key as string, id: answer.body.apiKey.id as string };
};
const atSecond = (key: string, path = "/v1/tasks") => request(second.url, path, { token: key });
const adminToken = async () => {
  const body = { email: admin.KEELSON_ADMIN_EMAIL, password: admin.KEELSON_ADMIN_PASSWORD };
  return (await request(first.url, "/v1/auth/login", { body })).body.accessToken as string;
};
const foundTeam = async (owner: SignedInUser) => (await send("POST", "/v1/teams", owner.token, { name: "Engines" })).body.team.id as string;
const put = async (team: string, role: string): Promise<SignedInUser> => {
  const user = await signUp(first.url);
  await database`insert into team_members (team_id, user_id, role) values (${team}, ${user.id}, ${role})`;
  return user;
};

describe("what one copy does, another knows within a second", () => {
  /** The second copy has verified the key and remembers it, before the first one changes something. */
  const known = async (token: string, body: object = {}) => {
    const made = await make(token, body);
    expect((await atSecond(made.key)).status).toBe(200);
    return made;
  };
  const refusedSoon = (key: string, status = 401) =>
    until("the second copy refuses", async () => (await atSecond(key)).status === status, withinMs);

  test("revoked", async () => {
    const ada = await signUp(first.url);
    const { key, id } = await known(ada.token);
    await send("DELETE", `/v1/api-keys/${id}`, ada.token);
    await refusedSoon(key);
    expectProblem(await atSecond(key), "invalid_token");
  });

  test("rotated", async () => {
    const ada = await signUp(first.url);
    const { key, id } = await known(ada.token);
    const rotated = await send("POST", `/v1/api-keys/${id}/rotate`, ada.token, {});
    await refusedSoon(key);
    expect((await atSecond(rotated.body.key)).status).toBe(200);
  });

  test("fewer scopes, more scopes", async () => {
    const ada = await signUp(first.url);
    const { key, id } = await known(ada.token);
    await send("PATCH", `/v1/api-keys/${id}`, ada.token, { scopes: ["sandbox:read"] });
    await refusedSoon(key, 403);
    await send("PATCH", `/v1/api-keys/${id}`, ada.token, { scopes: ["tasks:read"] });
    await until("it may again", async () => (await atSecond(key)).status === 200, withinMs);
  });

  test("another limit", async () => {
    const ada = await signUp(first.url);
    const { key, id } = await known(ada.token);
    await send("PATCH", `/v1/api-keys/${id}`, ada.token, { rateLimit: 7 });
    await until("the limit shows", async () => (await atSecond(key)).headers.get("ratelimit-policy")?.includes("q=7;") ?? false, withinMs);
  });

  test("its owner disabled", async () => {
    const ada = await signUp(first.url);
    const { key } = await known(ada.token);
    await send("PATCH", `/v1/users/${ada.id}`, await adminToken(), { disabled: true });
    await refusedSoon(key);
  });

  test("its owner removed from the team, and not back with them", async () => {
    const owner = await signUp(first.url);
    const team = await foundTeam(owner);
    const helper = await put(team, "admin");
    const { key } = await known(helper.token, { teamId: team });
    const own = await known(helper.token);
    await send("DELETE", `/v1/teams/${team}/members/${helper.id}`, owner.token);
    await refusedSoon(key);
    expect((await atSecond(own.key)).status).toBe(200);
    await database`insert into team_members (team_id, user_id, role) values (${team}, ${helper.id}, 'admin')`;
    expectProblem(await atSecond(key), "invalid_token");
  });

  test("its team deleted", async () => {
    const owner = await signUp(first.url);
    const team = await foundTeam(owner);
    const { key } = await known(owner.token, { teamId: team });
    await send("DELETE", `/v1/teams/${team}`, owner.token);
    await refusedSoon(key);
  });

  test("a stream that was opened with the key ends", async () => {
    const ada = await signUp(first.url);
    const { key, id } = await known(ada.token);
    const code = "for (;;) {}";
    const { body } = await send("POST", "/v1/sandbox/executions", ada.token, { code, wait: false, timeoutMs: 8_000 });
    const opened = performance.now();
    let seen = Promise.withResolvers<void>();
    const stream = readStream(second.url, `/v1/tasks/${body.taskId}/stream`, {
      token: key,
      enough: () => {
        seen.resolve();
        return false;
      },
    });
    await seen.promise;
    seen = Promise.withResolvers();
    await send("DELETE", `/v1/api-keys/${id}`, ada.token);
    const { events } = await stream;
    expect(events.map(({ event }) => event)).not.toContain("result");
    expect(performance.now() - opened).toBeLessThan(6_000);
  }, 20_000);
});

describe("a team's key", () => {
  let owner: SignedInUser;
  let team: string;
  let key: string;
  beforeAll(async () => {
    owner = await signUp(first.url);
    team = await foundTeam(owner);
    key = (await make(owner.token, { teamId: team, scopes: ["tasks:write", "sandbox:write", "auth:write"] })).key;
  });

  test("what it makes is the team's: members see it, viewers too, its maker's own list does not have it", async () => {
    const { body } = await send("POST", "/v1/sandbox/executions", key, { code: "1", wait: false });
    const paths = [`/v1/sandbox/executions/${body.execution.id}`, `/v1/tasks/${body.taskId}`];
    const [viewer, stranger] = [await put(team, "viewer"), await signUp(first.url)];
    for (const path of paths) {
      for (const token of [key, owner.token, viewer.token]) expect((await get(path, token)).status).toBe(200);
      expectProblem(await get(path, stranger.token), "not_found");
    }
    for (const path of ["/v1/sandbox/executions", "/v1/tasks"]) {
      expect((await get(path, key)).body.data).toHaveLength(1);
      expect((await get(path, owner.token)).body.data).toEqual([]);
    }
  });

  test("its maker's own things are not its business", async () => {
    const { body } = await send("POST", "/v1/sandbox/executions", owner.token, { code: "1", wait: false });
    for (const path of [`/v1/sandbox/executions/${body.execution.id}`, `/v1/tasks/${body.taskId}`])
      expectProblem(await get(path, key), "not_found");
    for (const path of ["/v1/me", "/v1/api-keys"]) expectProblem(await get(path, key), "insufficient_scope");
    const other = await foundTeam(owner);
    expectProblem(await get(`/v1/teams/${other}`, key), "not_found");
    expect((await get("/v1/teams", key)).body.data.map(({ id }: { id: string }) => id)).toEqual([team]);
  });

  test("manages members within its maker's role, but hands nothing over", async () => {
    const member = await put(team, "member");
    expect((await send("PATCH", `/v1/teams/${team}/members/${member.id}`, key, { role: "viewer" })).status).toBe(200);
    expectProblem(await send("PATCH", `/v1/teams/${team}/members/${member.id}`, key, { role: "owner" }), "forbidden");
    for (const [method, path] of [
      ["DELETE", `/v1/teams/${team}`],
      ["POST", "/v1/teams"],
    ] as const)
      expectProblem(await send(method, path, key, method === "POST" ? { name: "more" } : undefined), "forbidden");
  });

  test("of a maker who is a viewer by now only reads", async () => {
    const helper = await put(team, "admin");
    const theirs = (await make(helper.token, { teamId: team })).key;
    await send("PATCH", `/v1/teams/${team}/members/${helper.id}`, owner.token, { role: "viewer" });
    expectProblem(await send("POST", "/v1/sandbox/executions", theirs, { code: "1" }), "forbidden");
    expect((await get("/v1/tasks", theirs)).status).toBe(200);
  });

  test.each<readonly [string, number]>([
    ["owner", 201],
    ["admin", 201],
    ["member", 403],
    ["viewer", 403],
    ["stranger", 404],
  ])("made by the %s of a team: %i", async (role, status) => {
    const user = role === "owner" ? owner : role === "stranger" ? await signUp(first.url) : await put(team, role);
    const body = { name: "x", scopes: ["tasks:read"], teamId: team };
    expect((await send("POST", "/v1/api-keys", user.token, body)).status).toBe(status);
    expect((await get(`/v1/api-keys?teamId=${team}`, user.token)).status).toBe(status === 201 ? 200 : status);
  });

  test("has no scope admin, whoever makes it", async () => {
    const root = await adminToken();
    const own = (await send("POST", "/v1/teams", root, { name: "root's" })).body.team.id;
    expectProblem(await send("POST", "/v1/api-keys", root, { name: "x", scopes: ["admin"], teamId: own }), "forbidden");
    expect(pointersOf(await send("POST", "/v1/api-keys", root, { name: "x", scopes: ["team:admin"], teamId: own }))).toEqual(["/scopes/0"]);
  });

  test("is there for those who run the team, and for nobody else", async () => {
    const { id } = await make(owner.token, { teamId: team });
    const people = { admin: await put(team, "admin"), member: await put(team, "member"), stranger: await signUp(first.url) };
    expect((await get(`/v1/api-keys/${id}`, people.admin.token)).status).toBe(200);
    for (const { token } of [people.member, people.stranger]) {
      expectProblem(await get(`/v1/api-keys/${id}`, token), "not_found");
      expectProblem(await send("POST", `/v1/api-keys/${id}/rotate`, token, {}), "not_found");
      expectProblem(await send("DELETE", `/v1/api-keys/${id}`, token), "not_found");
    }
    const rotated = await send("POST", `/v1/api-keys/${id}/rotate`, people.admin.token, {});
    expect([rotated.status, rotated.body.apiKey.ownerId]).toEqual([200, people.admin.id]);
  });
});

test("when a key was last used is stored, at the latest when the copy stops", async () => {
  const ada = await signUp(first.url);
  const { key, id } = await make(ada.token);
  {
    const { config } = first;
    await using third = await startTestCopy("postgres", {
      DATABASE_URL: config.DATABASE_URL ?? "",
      KEELSON_KEY_PREFIX: config.KEELSON_KEY_PREFIX,
    });
    expect((await request(third.url, "/v1/tasks", { token: key })).status).toBe(200);
  }
  const { apiKey } = (await get(`/v1/api-keys/${id}`, ada.token)).body;
  expect(Math.abs(Date.now() - Date.parse(apiKey.lastUsedAt))).toBeLessThan(20_000);
}, 30_000);
