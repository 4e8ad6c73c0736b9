import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const executions = "/v1/sandbox/executions";
const running = sharedCopy();
let url: string;
let database: postgres.Sql;
let ada: SignedInUser;
let bob: SignedInUser;

beforeAll(async () => {
  url = running.url;
  database = postgres(running.config.DATABASE_URL ?? "", { max: 2 });
  [ada, bob] = await Promise.all([signUp(url), signUp(url)]);
});
afterAll(() => database.end());

/** A program whose output differs from run to run, so that a second run would show. */
const once = { code: "Math.random()" };
const freshKey = () => crypto.randomUUID();
const execute = (user: SignedInUser, key: string, body: unknown): Promise<Answer> =>
  request(url, executions, { token: user.token, body, headers: { "idempotency-key": key } });
const rows = async (key: string) => await database`select * from idempotency_keys where key = ${key}`;

describe("same key, same request", () => {
  test("the stored answer comes back, byte for byte, and nothing runs again", async () => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    const second = await execute(ada, key, once);
    expect(first.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect([second.status, second.headers.get("content-type")]).toEqual([first.status, first.headers.get("content-type")]);
    expect([first.headers.get("idempotency-replayed"), second.headers.get("idempotency-replayed")]).toEqual([null, "true"]);
    const [{ count } = { count: 0 }] = await database`select count(*)::int as count from executions where id = ${first.body.execution.id}`;
    expect(count).toBe(1);
  });

  test("a replay has its own request id and its own rate limit state", async () => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    const second = await execute(ada, key, once);
    expect(second.headers.get("x-request-id")).not.toBe(first.headers.get("x-request-id"));
    expect(second.headers.get("ratelimit")).toMatch(/^"default";r=\d+;t=\d+$/);
  });

  test("202 of a queued execution names the same task; one task exists", async () => {
    const key = freshKey();
    const body = { ...once, wait: false };
    const answers = [await execute(bob, key, body), await execute(bob, key, body)];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers[0]?.body.taskId).toBe(answers[1]?.body.taskId);
    const tasks = await request(url, "/v1/tasks", { token: bob.token });
    expect(tasks.body.data).toHaveLength(1);
  });

  test("a new API key: the same key, and no cache may keep it", async () => {
    const headers = { "idempotency-key": freshKey() };
    const make = () => request(url, "/v1/api-keys", { token: ada.token, body: { name: "once", scopes: ["tasks:read"] }, headers });
    const [first, second] = [await make(), await make()];
    expect([first.status, second.status, second.body]).toEqual([201, 201, first.body]);
    expect([second.headers.get("idempotency-replayed"), second.headers.get("cache-control")]).toEqual(["true", "no-store"]);
  });

  test("204 has no body and no content type, the first time and when replayed", async () => {
    const user = await signUp(url);
    const body = { currentPassword: user.password, newPassword: "another horse, another staple" };
    const change = () => request(url, "/v1/auth/password/change", { body, token: user.token, headers: { "idempotency-key": "once" } });
    for (const replayed of [null, "true"]) {
      const answer = await change();
      expect([answer.status, answer.body, answer.headers.get("content-type")]).toEqual([204, "", null]);
      expect(answer.headers.get("idempotency-replayed")).toBe(replayed);
    }
  });
});

describe("tokens of a session are not kept", () => {
  const send = (path: string, body: unknown, headers: Record<string, string>, token?: string) =>
    request(url, path, { body, headers, ...(token ? { token } : {}) });
  const credentials = ({ email, password }: SignedInUser) => ({ email, password });

  test("a log-in that is sent again is a log-in, by the transport that it asks for", async () => {
    const headers = { "idempotency-key": freshKey() };
    const first = await send("/v1/auth/login", credentials(ada), headers);
    const second = await send("/v1/auth/login", credentials(ada), { ...headers, "x-session-transport": "cookie" });
    expect([first.status, second.status]).toEqual([200, 200]);
    expect([second.headers.get("idempotency-replayed"), second.headers.get("cache-control")]).toEqual([null, "no-store"]);
    expect([second.body.accessToken, second.headers.getSetCookie().length]).toEqual([undefined, 2]);
    expect(second.body.session.id).not.toBe(first.body.session.id);
    expect(await rows(headers["idempotency-key"])).toHaveLength(0);
  });

  test("a used refresh token that comes back is reuse, whatever its key", async () => {
    const user = await signUp(url);
    const headers = { "idempotency-key": freshKey() };
    const { body } = await send("/v1/auth/refresh", { refreshToken: user.refreshToken }, headers);
    await send("/v1/auth/refresh", { refreshToken: body.refreshToken }, {});
    expectProblem(await send("/v1/auth/refresh", { refreshToken: user.refreshToken }, headers), "invalid_refresh_token");
  });

  test("sign-up, and a user added to a session", async () => {
    const headers = { "idempotency-key": freshKey() };
    const body = { email: `${freshKey()}@example.com`, password: "correct horse battery staple" };
    const made = await send("/v1/auth/signup", body, headers);
    expectProblem(await send("/v1/auth/signup", body, headers), "email_taken");
    const joined = await send("/v1/auth/session/users", credentials(bob), headers, made.body.accessToken);
    expect([joined.status, joined.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await rows(headers["idempotency-key"])).toHaveLength(0);
  });
});

describe("same key, another request: 422", () => {
  test.each<readonly [string, unknown]>([
    ["another program", { code: "2" }],
    ["one more field", { ...once, timeoutMs: 400 }],
    ["a program that differs by a space", { code: "Math.random() " }],
    ["an invalid body", { code: 7 }],
  ])("%s", async (_, body) => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    expectProblem(await execute(ada, key, body), "idempotency_mismatch");
    expect((await execute(ada, key, once)).body).toEqual(first.body);
  });

  test("another path", async () => {
    const key = freshKey();
    await execute(ada, key, once);
    const answer = await request(url, "/v1/auth/logout", { method: "POST", token: ada.token, headers: { "idempotency-key": key } });
    expectProblem(answer, "idempotency_mismatch");
    expect((await request(url, "/v1/auth/session", { token: ada.token })).status).toBe(200);
  });
});

describe("while the first is running: 409", () => {
  const slow = { code: "const end = Date.now() + 1000; while (Date.now() < end); output = Math.random()", timeoutMs: 3_000 };

  test("the same request has to wait, and then gets the answer", async () => {
    const key = freshKey();
    const first = execute(ada, key, slow);
    const during = await refusedWhileRunning(key, slow);
    expectProblem(during, "idempotency_in_flight");
    expect(during.headers.get("retry-after")).toBe("1");
    const answer = await first;
    expect(answer.body.execution.status).toBe("succeeded");
    expect((await execute(ada, key, slow)).body).toEqual(answer.body);
  }, 15_000);

  test("another request is refused at once with 422", async () => {
    const key = freshKey();
    const first = execute(ada, key, slow);
    await refusedWhileRunning(key, slow);
    expectProblem(await execute(ada, key, once), "idempotency_mismatch");
    expect((await first).status).toBe(200);
  }, 15_000);

  test("of many at once exactly one runs", async () => {
    const key = freshKey();
    const body = { code: "const end = Date.now() + 200; while (Date.now() < end); output = Math.random()", timeoutMs: 3_000, wait: true };
    const answers = await Promise.all(Array.from({ length: 20 }, () => execute(bob, key, body)));
    const ran = answers.filter(({ status, headers }) => status === 200 && headers.get("idempotency-replayed") === null);
    expect(ran).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 200) expect(answer.body).toEqual(ran[0]?.body);
      else expectProblem(answer, "idempotency_in_flight");
    }
  }, 15_000);

  /** The first request has taken the key once its row is there. */
  async function refusedWhileRunning(key: string, body: unknown): Promise<Answer> {
    await until("the key is taken", async () => (await rows(key)).length > 0);
    return execute(ada, key, body);
  }
});

describe("what is not kept", () => {
  test("a refused request: the key is free for a better one", async () => {
    const key = freshKey();
    expect(pointersOf(await execute(ada, key, { code: 7 }))).toEqual(["/code"]);
    expect(await rows(key)).toHaveLength(0);
    expect((await execute(ada, key, once)).status).toBe(200);
  });

  test("a wrong password: the right one works under the same key", async () => {
    const headers = { "idempotency-key": freshKey() };
    const body = { email: ada.email, password: "wrong" };
    expectProblem(await request(url, "/v1/auth/login", { body, headers }), "invalid_credentials");
    expect((await request(url, "/v1/auth/login", { body: { ...body, password: ada.password }, headers })).status).toBe(200);
  });

  test("a failure of ours: the same request runs again once it can", async () => {
    const key = freshKey();
    await database`alter table executions rename to executions_away`;
    expectProblem(await execute(ada, key, once), "internal");
    await database`alter table executions_away rename to executions`;
    expect(await rows(key)).toHaveLength(0);
    const answer = await execute(ada, key, once);
    expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([200, null]);
  });

  test("GET with a key is an ordinary GET", async () => {
    const headers = { "idempotency-key": "read" };
    for (const limit of [1, 2]) expect((await request(url, `/v1/tasks?limit=${limit}`, { token: ada.token, headers })).status).toBe(200);
    expect(await rows("read")).toHaveLength(0);
  });
});

describe("whose key", () => {
  test("two users with the same key do not meet, whatever they send", async () => {
    const key = freshKey();
    const [first, second, other] = [await execute(ada, key, once), await execute(bob, key, once), await execute(bob, key, { code: "2" })];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.execution.id).not.toBe(first.body.execution.id);
    expect(second.headers.get("idempotency-replayed")).toBeNull();
    expectProblem(other, "idempotency_mismatch");
  });

  test("somebody without an account, or with a bad token, cannot read an answer by its key", async () => {
    const key = freshKey();
    await execute(ada, key, once);
    const headers = { "idempotency-key": key };
    expectProblem(await request(url, executions, { body: once, headers }), "unauthenticated");
    expectProblem(await request(url, executions, { body: once, headers, token: `${ada.token}x` }), "invalid_token");
  });

  test("a session that comes later, of the same user, gets the answer", async () => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    const login = await request(url, "/v1/auth/login", { body: { email: ada.email, password: ada.password } });
    expect((await execute({ ...ada, token: login.body.accessToken }, key, once)).body).toEqual(first.body);
  });
});

describe("the key itself", () => {
  test.each(["", "two words", "k".repeat(256), "schlüssel", "tab\tbed"])("%j: 400", async (key) => {
    expect(pointersOf(await execute(ada, key, once))).toEqual(["header.idempotency-key"]);
  });

  test.each(["k", "k".repeat(255), '"quoted-as-in-the-draft"', "'; drop table users; --".replaceAll(" ", "_")])(
    "%s is taken",
    async (key) => {
      const first = await execute(ada, key, once);
      expect((await execute(ada, key, once)).body).toEqual(first.body);
    },
  );
});

describe("at rest", () => {
  test("the stored answer is sealed: neither keys nor names can be read in the table", async () => {
    const key = freshKey();
    const body = { name: "a name of its own", scopes: ["tasks:read"] };
    const { body: answer } = await request(url, "/v1/api-keys", { token: ada.token, body, headers: { "idempotency-key": key } });
    const [row] = await rows(key);
    const stored = `${JSON.stringify(row)} ${Buffer.from(row?.body).toString("latin1")} ${Buffer.from(row?.body).toString("base64")}`;
    for (const secret of [answer.key, body.name, "scopes"]) expect(stored).not.toContain(secret);
    expect(row?.body.length).toBeGreaterThan(JSON.stringify(answer).length);
  });

  test("a key is free again after 24 hours", async () => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    await database`update idempotency_keys set expires_at = now() - interval '1 second' where key = ${key}`;
    const second = await execute(ada, key, { code: "2" });
    expect([second.status, second.body.execution.output]).toEqual([200, 2]);
    expect(second.body.execution.id).not.toBe(first.body.execution.id);
  });

  test("a key whose request died with its copy is free after its lock, for the same request only", async () => {
    const key = freshKey();
    const first = await execute(ada, key, once);
    const dieHalfWay = database`update idempotency_keys set status = null, body = null, content_type = null, locked_until = now() - interval '1 second' where key = ${key}`;
    await dieHalfWay;
    expectProblem(await execute(ada, key, { code: "2" }), "idempotency_mismatch");
    const again = await execute(ada, key, once);
    expect(again.status).toBe(200);
    expect(again.body.execution.id).not.toBe(first.body.execution.id);
  });
});
