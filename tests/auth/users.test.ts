import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { until } from "../until.ts";

const root = { email: "root@example.com", password: "correct horse battery staple" };
let running: TestCopy;
let database: postgres.Sql;
let admin: { readonly id: string; readonly token: string };

beforeAll(async () => {
  running = await startTestCopy("postgres", { KEELSON_ADMIN_EMAIL: root.email, KEELSON_ADMIN_PASSWORD: root.password });
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  const { body } = await request(running.url, "/v1/auth/login", { body: root });
  admin = { id: body.user.id, token: body.accessToken };
}, 60_000);
afterAll(async () => {
  await database.end();
  await running[Symbol.asyncDispose]();
}, 60_000);

const get = (path: string, token: string) => request(running.url, path, { token });
const patch = (id: string, body: unknown, token = admin.token) => request(running.url, `/v1/users/${id}`, { method: "PATCH", body, token });
const closeAccount = (user: { readonly token: string }) => request(running.url, "/v1/me", { method: "DELETE", token: user.token });
const logIn = ({ email, password }: SignedInUser) => request(running.url, "/v1/auth/login", { body: { email, password } });

describe("administrators see accounts", () => {
  test("page by page, each once", async () => {
    const made = [await signUp(running.url), await signUp(running.url), await signUp(running.url)];
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body } = await get(`/v1/users?limit=2${cursor ? `&cursor=${cursor}` : ""}`, admin.token);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (const { id } of made) expect(seen).toContain(id);
    expect(JSON.stringify((await get("/v1/users", admin.token)).body)).not.toContain("argon2");
  });

  test("nobody else does: 403, and no word on whether it exists", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    for (const path of ["/v1/users", `/v1/users/${ada.id}`, "/v1/users/usr_none"]) expectProblem(await get(path, eve.token), "forbidden");
    expectProblem(await patch(eve.id, { role: "admin" }, eve.token), "forbidden");
    expect((await get("/v1/me", eve.token)).body.user.role).toBe("user");
  });

  test("an unknown one: 404", async () => {
    expectProblem(await get("/v1/users/usr_none", admin.token), "not_found");
    expectProblem(await patch("usr_none", { disabled: true }), "not_found");
  });
});

describe("a disabled account", () => {
  test("its sessions end at once, and it can neither log in nor refresh, until it is enabled", async () => {
    const ada = await signUp(running.url);
    const answer = await patch(ada.id, { disabled: true });
    expect([answer.status, answer.body.user.disabled]).toEqual([200, true]);
    expectProblem(await get("/v1/me", ada.token), "invalid_token");
    expectProblem(await request(running.url, "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } }), "invalid_refresh_token");
    expectProblem(await logIn(ada), "account_disabled");
    expectProblem(
      await request(running.url, "/v1/auth/login", { body: { email: ada.email, password: "wrong password 1" } }),
      "invalid_credentials",
    );
    expect((await patch(ada.id, { disabled: false })).body.user.disabled).toBe(false);
    expect((await logIn(ada)).status).toBe(200);
  });

  test("in a session with others it is taken out, and cannot be switched to", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = (
      await request(running.url, "/v1/auth/session/users", { token: ada.token, body: { email: bob.email, password: bob.password } })
    ).body;
    await patch(bob.id, { disabled: true });
    expectProblem(await get("/v1/me", joined.accessToken), "invalid_token");
    const renewed = await request(running.url, "/v1/auth/refresh", { body: { refreshToken: joined.refreshToken } });
    expect([renewed.status, renewed.body.user.id]).toEqual([200, ada.id]);
    const { accessToken: token } = renewed.body;
    expectProblem(await request(running.url, "/v1/auth/session/switch", { token, body: { userId: bob.id } }), "not_found");
  });
});

describe("DELETE /v1/users/:id/sessions", () => {
  test("logs the user out everywhere; the account stays", async () => {
    const ada = await signUp(running.url);
    const other = (await logIn(ada)).body;
    const path = `/v1/users/${ada.id}/sessions`;
    expectProblem(await request(running.url, path, { method: "DELETE", token: ada.token }), "forbidden");
    expect((await request(running.url, path, { method: "DELETE", token: admin.token })).status).toBe(204);
    for (const token of [ada.token, other.accessToken]) expectProblem(await get("/v1/me", token), "invalid_token");
    expect((await logIn(ada)).status).toBe(200);
    expectProblem(await request(running.url, "/v1/users/usr_none/sessions", { method: "DELETE", token: admin.token }), "not_found");
  });
});

describe("a changed role", () => {
  test("the old token is refused, the next one has the new role, both ways", async () => {
    const ada = await signUp(running.url);
    expectProblem(await get("/v1/users", ada.token), "forbidden");
    await patch(ada.id, { role: "admin" });
    expectProblem(await get("/v1/me", ada.token), "invalid_token");
    const raised = (await request(running.url, "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } })).body;
    expect((await get("/v1/users", raised.accessToken)).status).toBe(200);
    await patch(ada.id, { role: "user" });
    expectProblem(await get("/v1/users", raised.accessToken), "invalid_token");
    const lowered = (await request(running.url, "/v1/auth/refresh", { body: { refreshToken: raised.refreshToken } })).body;
    expectProblem(await get("/v1/users", lowered.accessToken), "forbidden");
  });

  test("the last administrator stays one, also when two go at the same time", async () => {
    expectProblem(await patch(admin.id, { role: "user" }), "conflict");
    expectProblem(await patch(admin.id, { disabled: true }), "conflict");
    const second = await signUp(running.url);
    await patch(second.id, { role: "admin" });
    const token = (await logIn(second)).body.accessToken;
    const answers = await Promise.all([patch(second.id, { role: "user" }), patch(admin.id, { role: "user" }, token)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [left] = await database`select id from users where role = 'admin' and disabled_at is null`;
    expect(left).toBeDefined();
    await database`update users set role = 'admin' where id = ${admin.id}`;
    admin = { ...admin, token: (await request(running.url, "/v1/auth/login", { body: root })).body.accessToken };
    await patch(second.id, { role: "user" });
  });

  test.each<readonly [unknown, string]>([
    [{}, ""],
    [{ role: "root" }, "/role"],
    [{ disabled: "yes" }, "/disabled"],
    [{ role: "user", id: "usr_1" }, "/id"],
    [{ role: "user", emailVerified: true }, "/emailVerified"],
    [{ disabled: true, passwordHash: "x" }, "/passwordHash"],
  ])("%j: 400", async (body, pointer) => {
    expect(pointersOf(await patch(admin.id, body))).toEqual([pointer]);
  });
});

describe("DELETE /v1/me", () => {
  test("closes the account at once, and a task erases what belongs to it", async () => {
    const ada = await signUp(running.url);
    await request(running.url, "/v1/sandbox/executions", { token: ada.token, body: { code: "1", wait: false } });
    const answer = await closeAccount(ada);
    expect([answer.status, answer.body.taskId]).toEqual([202, expect.stringMatching(/^tsk_/)]);
    expectProblem(await get("/v1/me", ada.token), "invalid_token");
    await until(
      "the task is done",
      async () => (await get(`/v1/tasks/${answer.body.taskId}`, admin.token)).body.task.status === "completed",
    );
    const [left] = await database`select
      (select count(*)::int from users where id = ${ada.id}) as users,
      (select count(*)::int from session_users where user_id = ${ada.id}) as sessions,
      (select count(*)::int from tasks where owner_id = ${ada.id}) as tasks,
      (select count(*)::int from executions where owner_id = ${ada.id}) as executions`;
    expect(left).toEqual({ users: 0, sessions: 0, tasks: 0, executions: 0 });
    expectProblem(await logIn(ada), "invalid_credentials");
    const acts = await database`select action from audit_log where subject = ${ada.id} order by at, id`;
    expect(acts.map(({ action }) => action)).toEqual([
      "user.signed_up",
      "user.link_mailed",
      "user.logged_in",
      "user.deleted",
      "user.erased",
    ]);
  });

  test("the address is free again", async () => {
    const ada = await signUp(running.url);
    const { body } = await closeAccount(ada);
    await until("the task is done", async () => (await get(`/v1/tasks/${body.taskId}`, admin.token)).body.task.status === "completed");
    expect((await request(running.url, "/v1/auth/signup", { body: { email: ada.email, password: ada.password } })).status).toBe(201);
  });

  test("needs a log-in that is not old", async () => {
    const ada = await signUp(running.url);
    await database`update session_users set authenticated_at = now() - interval '16 minutes' where user_id = ${ada.id}`;
    expectProblem(await closeAccount(ada), "reauthentication_required");
    expect((await closeAccount({ token: (await logIn(ada)).body.accessToken })).status).toBe(202);
  });

  test("whoever owns a team hands it over first", async () => {
    const ada = await signUp(running.url);
    const team = (await request(running.url, "/v1/teams", { token: ada.token, body: { name: "Looms" } })).body.team;
    expectProblem(await closeAccount(ada), "conflict");
    expect((await request(running.url, `/v1/teams/${team.id}`, { method: "DELETE", token: ada.token })).status).toBe(204);
    expect((await closeAccount(ada)).status).toBe(202);
  });

  test("the last administrator cannot go", async () => {
    expectProblem(await closeAccount(admin), "conflict");
  });
});
