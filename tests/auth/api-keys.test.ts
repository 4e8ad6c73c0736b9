import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { newId } from "../../app/platform/ids.ts";
import { formatKey, newSecret } from "../../app/services/auth/api-keys/key-format.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const admin = { KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: "correct horse battery staple" };
const keysMax = 6;
const running = sharedCopy("postgres", { ...admin, KEELSON_API_KEYS_MAX: String(keysMax) });
let database: postgres.Sql;
let adminToken: string;

beforeAll(async () => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  const body = { email: admin.KEELSON_ADMIN_EMAIL, password: admin.KEELSON_ADMIN_PASSWORD };
  adminToken = (await request(running.url, "/v1/auth/login", { body })).body.accessToken;
});
afterAll(() => database.end());

const send = (method: string, path: string, token: string, body?: unknown) => request(running.url, path, { method, token, body });
const get = (path: string, token: string) => send("GET", path, token);
const withKey = (path: string, key: string) => request(running.url, path, { headers: { "x-api-key": key } });
const make = async (token: string, body: object = {}) => {
  const answer = await send("POST", "/v1/api-keys", token, { name: "test", scopes: ["tasks:read"], ...body });
  expect(answer.status).toBe(201);
  return answer.body as { readonly key: string; readonly apiKey: { readonly id: string } };
};
const idsIn = ({ body }: Answer): string[] => body.data.map(({ id }: { readonly id: string }) => id);

describe("making and reading", () => {
  test("the key is in the answer and nowhere else", async () => {
    const ada = await signUp(running.url);
    const { key, apiKey } = await make(ada.token, { rateLimit: 100, creditLimitHard: 2.5 });
    expect(key).toMatch(/^klsn_[0-9A-Za-z]{81}$/);
    expect(apiKey).toMatchObject({
      ownerId: ada.id,
      teamId: null,
      name: "test",
      scopes: ["tasks:read"],
      rateLimit: 100,
      creditLimitHard: 2.5,
    });
    const shown = await get(`/v1/api-keys/${apiKey.id}`, ada.token);
    expect(shown.body).toEqual({ apiKey });
    const secret = key.slice(37, 80);
    const rows = await database`select row_to_json(k)::text as row from api_keys k where id = ${apiKey.id}
      union all select payload::text from outbox union all select data::text from audit_log`;
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.filter(({ row }) => row.includes(secret))).toEqual([]);
  });

  test("it works as X-Api-Key and as the bearer", async () => {
    const { key } = await make((await signUp(running.url)).token);
    expect((await withKey("/v1/tasks", key)).status).toBe(200);
    expect((await get("/v1/tasks", key)).status).toBe(200);
    const headers = { "x-api-key": key };
    expect((await request(running.url, "/v1/tasks", { token: key, headers })).status).toBe(200);
  });

  test("pages are one's own, in order, each once", async () => {
    const ada = await signUp(running.url);
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await make(ada.token)).apiKey.id);
    await make((await signUp(running.url)).token);
    const first = await get("/v1/api-keys?limit=3", ada.token);
    const second = await get(`/v1/api-keys?limit=3&cursor=${first.body.nextCursor}`, ada.token);
    expect([...idsIn(first), ...idsIn(second)]).toEqual(made);
    expect(second.body.nextCursor).toBeNull();
  });

  test(`at most ${keysMax} per user, also at once; a deleted one makes room`, async () => {
    const ada = await signUp(running.url);
    const body = { name: "many", scopes: ["tasks:read"] };
    const answers = await Promise.all(Array.from({ length: keysMax + 4 }, () => send("POST", "/v1/api-keys", ada.token, body)));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(keysMax);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, "conflict");
    await send("DELETE", `/v1/api-keys/${made[0]?.body.apiKey.id}`, ada.token);
    expect((await send("POST", "/v1/api-keys", ada.token, body)).status).toBe(201);
  });
});

describe("what is no credential", () => {
  let user: SignedInUser;
  let key: string;
  beforeAll(async () => {
    user = await signUp(running.url);
    key = (await make(user.token)).key;
  });

  test.each<readonly [string, () => Record<string, string>]>([
    ["a wrong checksum", () => ({ "x-api-key": key.slice(0, -1) + (key.endsWith("0") ? "1" : "0") })],
    ["a well-formed key that nobody has", () => ({ "x-api-key": formatKey({ keyId: newId("apiKey"), secret: newSecret() }) })],
    [
      "the right id with another secret",
      () => ({ "x-api-key": formatKey({ keyId: key.replace("klsn_", "key_").slice(0, 36), secret: newSecret() }) }),
    ],
    ["an access token as X-Api-Key", () => ({ "x-api-key": user.token })],
    ["a key and an access token", () => ({ "x-api-key": key, authorization: `Bearer ${user.token}` })],
    ["two keys", () => ({ "x-api-key": key, authorization: `Bearer ${formatKey({ keyId: newId("apiKey"), secret: newSecret() })}` })],
    ["a key and Basic", () => ({ "x-api-key": key, authorization: "Basic YTpi" })],
    ["a key as Basic", () => ({ authorization: `Basic ${key}` })],
    ["the prefix", () => ({ "x-api-key": "klsn_" })],
  ])("%s: 401", async (_, headers) => {
    expectProblem(await request(running.url, "/v1/tasks", { headers: headers() }), "invalid_token");
  });

  test("a wrong secret and an unknown id look the same", async () => {
    const shown = async (it: string) => ({ ...(await withKey("/v1/tasks", it)).body, instance: "" });
    const keyId = key.replace("klsn_", "key_").slice(0, 36);
    expect(await shown(formatKey({ keyId, secret: newSecret() }))).toEqual(
      await shown(formatKey({ keyId: newId("apiKey"), secret: newSecret() })),
    );
  });
});

const every = ["auth", "tasks", "events", "ai", "notifications", "sandbox", "secrets"].map((service) => `${service}:write`);

describe("scopes", () => {
  const scopesOf = async (scopes: readonly string[]) => (await make((await signUp(running.url)).token, { scopes })).key;

  test.each<readonly [string, string, string, number]>([
    ["tasks:read", "GET", "/v1/tasks", 200],
    ["tasks:write", "GET", "/v1/tasks", 200],
    ["sandbox:write", "GET", "/v1/tasks", 403],
    ["tasks:read", "GET", "/v1/sandbox/executions", 403],
    ["sandbox:read", "GET", "/v1/sandbox/executions", 200],
    ["sandbox:read", "POST", "/v1/sandbox/executions", 403],
    ["sandbox:write", "POST", "/v1/sandbox/executions", 200],
    ["tasks:write", "GET", "/v1/me", 403],
    ["auth:read", "GET", "/v1/me", 200],
    ["auth:read", "PATCH", "/v1/me", 403],
    ["auth:read", "GET", "/v1/teams", 200],
    ["auth:read", "GET", "/v1/api-keys", 200],
    ["tasks:read", "GET", "/v1/tasks/tsk_0/stream", 404],
    ["sandbox:read", "GET", "/v1/tasks/tsk_0/stream", 403],
  ])("%s: %s %s is %i", async (scope, method, path, status) => {
    const body = method === "GET" ? undefined : path === "/v1/me" ? { name: "x" } : { code: "1" };
    const answer = await send(method, path, await scopesOf([scope]), body);
    expect(answer.status).toBe(status);
    if (status === 403) expectProblem(answer, "insufficient_scope");
  });

  describe("on every route there is", () => {
    const operations = async (): Promise<readonly (readonly [string, string, boolean])[]> => {
      const { paths } = (await request(running.url, "/openapi.json")).body;
      return Object.entries<Record<string, { readonly security?: readonly object[] }>>(paths).flatMap(([path, item]) =>
        Object.entries(item)
          .filter(([, { security }]) => security !== undefined)
          .map(([method, { security = [] }]) => [method.toUpperCase(), path, security.some((it) => "apiKey" in it)] as const),
      );
    };
    /** With an id that no stream takes: one that is open would be read for ever. */
    const call = async (token: string, method: string, path: string) => {
      const options = { method, token, headers: { "last-event-id": "none" }, ...(method === "GET" ? {} : { body: {} }) };
      return (await request(running.url, path.replaceAll(/\{\w+\}/g, "x"), options)).body.code;
    };

    test("a key without the scope is refused before anything else", async () => {
      const key = await scopesOf(["ai:read"]);
      const all = (await operations()).filter(([, path]) => !path.startsWith("/v1/ai"));
      expect(all.length).toBeGreaterThan(30);
      for (const [method, path] of all) expect([method, path, await call(key, method, path)]).toEqual([method, path, "insufficient_scope"]);
    });

    test("one with all scopes comes through exactly where the document says that a key may", async () => {
      const key = await scopesOf(every);
      for (const [method, path, takesKeys] of await operations())
        expect([method, path, (await call(key, method, path)) !== "insufficient_scope"]).toEqual([method, path, takesKeys]);
    });
  });

  test.each<readonly [string, string, object | undefined]>([
    ["POST", "/v1/api-keys", { name: "more", scopes: ["auth:write"] }],
    ["PATCH", "/v1/api-keys/key_0", { scopes: ["auth:write"] }],
    ["POST", "/v1/api-keys/key_0/rotate", {}],
    ["POST", "/v1/api-keys/import", {}],
    ["DELETE", "/v1/api-keys/key_0", undefined],
    ["GET", "/v1/auth/session", undefined],
    ["GET", "/v1/auth/sessions", undefined],
    ["DELETE", "/v1/auth/sessions", undefined],
    ["DELETE", "/v1/auth/sessions/ses_0", undefined],
    ["POST", "/v1/auth/logout", undefined],
    ["POST", "/v1/auth/session/switch", { userId: "usr_0" }],
    ["POST", "/v1/auth/session/users", { email: "a@example.com", password: "x" }],
    ["POST", "/v1/teams/invitations/accept", { token: "x" }],
    ["DELETE", "/v1/me", undefined],
  ])("a key with all scopes: %s %s takes a person", async (method, path, body) => {
    expectProblem(await send(method, path, await scopesOf(every), body), "insufficient_scope");
  });

  test("a user's key with all scopes is no administrator", async () => {
    expectProblem(await get("/v1/users", await scopesOf(every)), "forbidden");
  });

  test.each<readonly [string, string, object | undefined]>([
    ["PATCH", "", { role: "admin" }],
    ["PATCH", "", { disabled: true }],
    ["DELETE", "/sessions", undefined],
  ])("an administrator's key makes nobody an administrator and shuts nobody out: %s /v1/users/:id%s %j", async (method, suffix, body) => {
    const [ada, { key }] = [await signUp(running.url), await make(adminToken, { scopes: ["admin"] })];
    expectProblem(await send(method, `/v1/users/${ada.id}${suffix}`, key, body), "insufficient_scope");
    expect((await send("GET", `/v1/users/${ada.id}`, key)).body.user).toMatchObject({ role: "user", disabled: false });
    expect((await get("/v1/me", ada.token)).status).toBe(200);
    await send("DELETE", `/v1/api-keys/${key.replace("klsn_", "key_").slice(0, 36)}`, adminToken);
  });

  test("admin is for administrators", async () => {
    const ada = await signUp(running.url);
    expectProblem(await send("POST", "/v1/api-keys", ada.token, { name: "x", scopes: ["admin"] }), "forbidden");
    const { apiKey } = await make(ada.token);
    expectProblem(await send("PATCH", `/v1/api-keys/${apiKey.id}`, ada.token, { scopes: ["admin"] }), "forbidden");
  });

  test("an administrator's key is one only with the scope admin", async () => {
    const master = await make(adminToken, { scopes: ["admin"] });
    const plain = await make(adminToken, { scopes: ["auth:write", "tasks:write"] });
    expect((await get("/v1/users", master.key)).status).toBe(200);
    expectProblem(await get("/v1/users", plain.key), "forbidden");
    const ada = await signUp(running.url);
    const { body } = await send("POST", "/v1/sandbox/executions", ada.token, { code: "1", wait: false });
    expect((await get(`/v1/tasks/${body.taskId}`, master.key)).status).toBe(200);
    expectProblem(await get(`/v1/tasks/${body.taskId}`, plain.key), "not_found");
  });

  test("what a key makes is its owner's, and the owner's is the key's to see", async () => {
    const ada = await signUp(running.url);
    const { key } = await make(ada.token, { scopes: ["sandbox:write"] });
    const byKey = (await send("POST", "/v1/sandbox/executions", key, { code: "1" })).body.execution.id;
    const byHand = (await send("POST", "/v1/sandbox/executions", ada.token, { code: "2" })).body.execution.id;
    for (const token of [key, ada.token]) expect(idsIn(await get("/v1/sandbox/executions", token))).toEqual([byHand, byKey]);
  });

  test("answers kept under an Idempotency-Key are those of one key", async () => {
    const ada = await signUp(running.url);
    const [first, second] = [await make(ada.token, { scopes: ["sandbox:write"] }), await make(ada.token, { scopes: ["sandbox:write"] })];
    const run = (token: string) =>
      request(running.url, "/v1/sandbox/executions", { token, body: { code: "1" }, headers: { "idempotency-key": "once" } });
    const kept = await run(first.key);
    expect((await run(first.key)).body).toEqual(kept.body);
    for (const token of [second.key, ada.token]) expect((await run(token)).body.execution.id).not.toBe(kept.body.execution.id);
  });
});

describe("somebody else's key does not exist", () => {
  test.each<readonly [string, string, object | undefined]>([
    ["GET", "", undefined],
    ["PATCH", "", { name: "mine now" }],
    ["DELETE", "", undefined],
    ["POST", "/rotate", {}],
  ])("%s /v1/api-keys/:id%s", async (method, suffix, body) => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const { key, apiKey } = await make(ada.token);
    for (const token of [eve.token, adminToken]) {
      const [theirs, none] = [`/v1/api-keys/${apiKey.id}${suffix}`, `/v1/api-keys/key_0${suffix}`];
      expectProblem(await send(method, theirs, token, body), "not_found");
      expectProblem(await send(method, none, token, body), "not_found");
    }
    expect((await withKey("/v1/tasks", key)).status).toBe(200);
    expect((await get(`/v1/api-keys/${apiKey.id}`, ada.token)).body.apiKey.name).toBe("test");
  });
});

describe("bad input", () => {
  const good = { name: "x", scopes: ["tasks:read"] };
  test.each<readonly [string, object, readonly string[]]>([
    ["id", { ...good, id: "key_1" }, ["/id"]],
    ["ownerId", { ...good, ownerId: "usr_1" }, ["/ownerId"]],
    ["userId", { ...good, userId: "usr_1" }, ["/userId"]],
    ["key", { ...good, key: "klsn_mine" }, ["/key"]],
    ["secretHash", { ...good, secretHash: "$2b$10$x" }, ["/secretHash"]],
    ["creditsUsed", { ...good, creditsUsed: -5 }, ["/creditsUsed"]],
    ["version", { ...good, version: 7 }, ["/version"]],
    ["revokedAt", { ...good, revokedAt: null }, ["/revokedAt"]],
    ["no scope", { name: "x", scopes: [] }, ["/scopes"]],
    ["a scope twice", { name: "x", scopes: ["tasks:read", "tasks:read"] }, ["/scopes"]],
    ["a scope there is not", { name: "x", scopes: ["tasks:*"] }, ["/scopes/0"]],
    ["no name", { scopes: ["tasks:read"] }, ["/name"]],
    ["a name with NUL", { ...good, name: "a\0" }, ["/name"]],
    ["a time in the past", { ...good, expiresAt: "2020-01-01T00:00:00Z" }, ["/expiresAt"]],
    ["no time", { ...good, expiresAt: "tomorrow" }, ["/expiresAt"]],
    ["no limit", { ...good, rateLimit: 0 }, ["/rateLimit"]],
    ["half a request", { ...good, rateLimit: 1.5 }, ["/rateLimit"]],
    ["negative credits", { ...good, creditLimitHard: -1 }, ["/creditLimitHard"]],
    ["soft above hard", { ...good, creditLimitSoft: 2, creditLimitHard: 1 }, ["/creditLimitSoft"]],
  ])("%s: 400", async (_, body, pointers) => {
    const ada = await signUp(running.url);
    expect(pointersOf(await send("POST", "/v1/api-keys", ada.token, body))).toEqual([...pointers]);
    expect((await get("/v1/api-keys", ada.token)).body.data).toEqual([]);
  });

  test.each(["id", "ownerId", "teamId", "creditsUsed", "secretHash"])("%s can't be changed", async (field) => {
    const ada = await signUp(running.url);
    const { apiKey } = await make(ada.token);
    expect(pointersOf(await send("PATCH", `/v1/api-keys/${apiKey.id}`, ada.token, { [field]: "x" }))).toEqual([`/${field}`]);
  });

  test("a soft limit above the hard one that is there already", async () => {
    const ada = await signUp(running.url);
    const { apiKey } = await make(ada.token, { creditLimitHard: 5 });
    expect(pointersOf(await send("PATCH", `/v1/api-keys/${apiKey.id}`, ada.token, { creditLimitSoft: 6 }))).toEqual(["/creditLimitSoft"]);
  });
});

describe("changes count at once", () => {
  test("scopes", async () => {
    const ada = await signUp(running.url);
    const { key, apiKey } = await make(ada.token);
    expect((await withKey("/v1/tasks", key)).status).toBe(200);
    await send("PATCH", `/v1/api-keys/${apiKey.id}`, ada.token, { scopes: ["sandbox:read"] });
    expectProblem(await withKey("/v1/tasks", key), "insufficient_scope");
    expect((await withKey("/v1/sandbox/executions", key)).status).toBe(200);
  });

  test("deletion", async () => {
    const ada = await signUp(running.url);
    const { key, apiKey } = await make(ada.token);
    await withKey("/v1/tasks", key);
    expect((await send("DELETE", `/v1/api-keys/${apiKey.id}`, ada.token)).status).toBe(204);
    expectProblem(await withKey("/v1/tasks", key), "invalid_token");
    expectProblem(await send("DELETE", `/v1/api-keys/${apiKey.id}`, ada.token), "not_found");
  });

  test("expiry", async () => {
    const ada = await signUp(running.url);
    const { key, apiKey } = await make(ada.token);
    await withKey("/v1/tasks", key);
    const expiresAt = new Date(Date.now() + 300).toISOString();
    await send("PATCH", `/v1/api-keys/${apiKey.id}`, ada.token, { expiresAt });
    expect((await withKey("/v1/tasks", key)).status).toBe(200);
    await until("it has expired", async () => (await withKey("/v1/tasks", key)).status === 401, 2_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  });

  test("rotation: without grace the old key ends, with grace both work until it is over", async () => {
    const ada = await signUp(running.url);
    const { key: first, apiKey } = await make(ada.token);
    const rotate = async (graceSeconds: number) =>
      (await send("POST", `/v1/api-keys/${apiKey.id}/rotate`, ada.token, { graceSeconds })).body.key as string;
    await withKey("/v1/tasks", first);
    const second = await rotate(0);
    expectProblem(await withKey("/v1/tasks", first), "invalid_token");
    expect((await withKey("/v1/tasks", second)).status).toBe(200);
    const third = await rotate(1);
    for (const key of [second, third]) expect((await withKey("/v1/tasks", key)).status).toBe(200);
    await until("the grace is over", async () => (await withKey("/v1/tasks", second)).status === 401, 3_000);
    expect((await withKey("/v1/tasks", third)).status).toBe(200);
    const audit = await database`select action from audit_log where subject = ${apiKey.id} order by at, id`;
    expect(audit.map(({ action }) => action)).toEqual(["api_key.created", "api_key.rotated", "api_key.rotated"]);
  }, 10_000);

  test("of two rotations at once one key works in the end", async () => {
    const ada = await signUp(running.url);
    const { apiKey } = await make(ada.token);
    const path = `/v1/api-keys/${apiKey.id}/rotate`;
    const rotated = await Promise.all([send("POST", path, ada.token, {}), send("POST", path, ada.token, {})]);
    const works = await Promise.all(rotated.map(async ({ body }) => (await withKey("/v1/tasks", body.key)).status));
    expect(works.toSorted()).toEqual([200, 401]);
  });

  test("a disabled owner, and one who is no administrator any more", async () => {
    const ada = await signUp(running.url);
    await send("PATCH", `/v1/users/${ada.id}`, adminToken, { role: "admin" });
    const token = (await request(running.url, "/v1/auth/login", { body: { email: ada.email, password: ada.password } })).body.accessToken;
    const { key } = await make(token, { scopes: ["admin"] });
    expect((await get("/v1/users", key)).status).toBe(200);
    await send("PATCH", `/v1/users/${ada.id}`, adminToken, { role: "user" });
    expectProblem(await get("/v1/users", key), "insufficient_scope");
    await send("PATCH", `/v1/users/${ada.id}`, adminToken, { disabled: true });
    expectProblem(await get("/v1/users", key), "invalid_token");
  });
});

test("a limit of its own: shown in the headers, counted for the key alone", async () => {
  const ada = await signUp(running.url);
  const { key } = await make(ada.token, { rateLimit: 3 });
  const other = await make(ada.token);
  for (let left = 2; left >= 0; left -= 1) {
    const answer = await withKey("/v1/tasks", key);
    expect([answer.status, answer.headers.get("ratelimit-policy")]).toEqual([200, `"api-key";q=3;w=60, "default";q=60000;w=60`]);
    expect(answer.headers.get("ratelimit")).toStartWith(`"api-key";r=${left};t=`);
  }
  expectProblem(await withKey("/v1/tasks", key), "rate_limited");
  const unlimited = await withKey("/v1/tasks", other.key);
  expect([unlimited.status, unlimited.headers.get("ratelimit-policy")?.startsWith(`"default"`)]).toEqual([200, true]);
});
