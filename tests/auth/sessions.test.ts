import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const get = (path: string, token: string) => request(running.url, path, { token });
const post = (path: string, token: string, body?: unknown) => request(running.url, path, { method: "POST", token, body });
const remove = (path: string, token: string) => request(running.url, path, { method: "DELETE", token });
const logIn = (user: SignedInUser, headers: Record<string, string> = {}) =>
  request(running.url, "/v1/auth/login", { body: { email: user.email, password: user.password }, headers });
const addUser = (token: string, user: SignedInUser) =>
  post("/v1/auth/session/users", token, { email: user.email, password: user.password });
const refresh = (refreshToken: string) => request(running.url, "/v1/auth/refresh", { body: { refreshToken } });
const auditOf = async (subject: string) =>
  (await database`select action from audit_log where subject = ${subject} order by at, id`).map(({ action }) => action);

describe("several users in one session", () => {
  test("a second user comes in and is the active one; the first is still there", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = await addUser(ada.token, bob);
    expect([joined.status, joined.body.user.id]).toEqual([200, bob.id]);
    const { body } = await get("/v1/auth/session", joined.body.accessToken);
    expect([body.activeUserId, body.users.map(({ id }: { id: string }) => id)]).toEqual([bob.id, [ada.id, bob.id]]);
    expect((await get("/v1/me", joined.body.accessToken)).body.user.id).toBe(bob.id);
  });

  test("the token carries them all", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = await addUser(ada.token, bob);
    const claims = JSON.parse(Buffer.from(joined.body.accessToken.split(".")[1], "base64url").toString());
    expect([claims.sub, claims.users]).toEqual([bob.id, [ada.id, bob.id]]);
  });

  test("switching back needs no password; the token from before is refused", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = (await addUser(ada.token, bob)).body;
    const switched = await post("/v1/auth/session/switch", joined.accessToken, { userId: ada.id });
    expect([switched.status, switched.body.user.id]).toEqual([200, ada.id]);
    for (const old of [ada.token, joined.accessToken]) expectProblem(await get("/v1/me", old), "invalid_token");
    expect((await get("/v1/me", switched.body.accessToken)).body.user.id).toBe(ada.id);
  });

  test("authority is the active user's alone", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const secret = (await request(running.url, "/v1/sandbox/executions", { token: ada.token, body: { code: "1" } })).body.execution.id;
    const joined = (await addUser(ada.token, bob)).body;
    expectProblem(await get(`/v1/sandbox/executions/${secret}`, joined.accessToken), "not_found");
    const back = (await post("/v1/auth/session/switch", joined.accessToken, { userId: ada.id })).body;
    expect((await get(`/v1/sandbox/executions/${secret}`, back.accessToken)).status).toBe(200);
  });

  test("an administrator in the session lends nobody the role", async () => {
    const [admin, bob] = [await signUp(running.url), await signUp(running.url)];
    await database`update users set role = 'admin' where id = ${admin.id}`;
    const session = (await logIn(admin)).body;
    const joined = (await addUser(session.accessToken, bob)).body;
    const claims = JSON.parse(Buffer.from(joined.accessToken.split(".")[1], "base64url").toString());
    expect(claims.role).toBe("user");
  });

  test("a refresh goes on as the active user; with the refresh token from before only to the same answer", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = (await addUser(ada.token, bob)).body;
    const again = await refresh(ada.refreshToken);
    expect([again.status, again.body]).toEqual([200, joined]);
    const renewed = await refresh(joined.refreshToken);
    expect([renewed.status, renewed.body.user.id]).toEqual([200, bob.id]);
  });

  test("to the user who is active already: 409 and no tokens, for a stolen access token would become a refresh token", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    expectProblem(await post("/v1/auth/session/switch", ada.token, { userId: ada.id }), "conflict");
    const joined = (await addUser(ada.token, bob)).body;
    expectProblem(await post("/v1/auth/session/switch", joined.accessToken, { userId: bob.id }), "conflict");
    expect((await get("/v1/me", joined.accessToken)).status).toBe(200);
    expect((await refresh(joined.refreshToken)).status).toBe(200);
  });

  test("taking the active user out leaves the other one active", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const joined = (await addUser(ada.token, bob)).body;
    expect((await remove(`/v1/auth/session/users/${bob.id}`, joined.accessToken)).status).toBe(204);
    expectProblem(await get("/v1/me", joined.accessToken), "invalid_token");
    const renewed = await request(running.url, "/v1/auth/refresh", { body: { refreshToken: joined.refreshToken } });
    expect(renewed.body.user.id).toBe(ada.id);
    expect((await get("/v1/auth/session", renewed.body.accessToken)).body.users).toHaveLength(1);
  });

  test("taking the last one out ends the session", async () => {
    const ada = await signUp(running.url);
    expect((await remove(`/v1/auth/session/users/${ada.id}`, ada.token)).status).toBe(204);
    expectProblem(await get("/v1/me", ada.token), "invalid_token");
    expectProblem(await request(running.url, "/v1/auth/refresh", { body: { refreshToken: ada.refreshToken } }), "invalid_refresh_token");
  });

  test("somebody who is not in the session: 404 for switch and removal", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    for (const userId of [eve.id, "usr_unknown", "' or 1=1 --"]) {
      expectProblem(await post("/v1/auth/session/switch", ada.token, { userId }), "not_found");
      expectProblem(await remove(`/v1/auth/session/users/${encodeURIComponent(userId)}`, ada.token), "not_found");
    }
    expect((await get("/v1/me", eve.token)).status).toBe(200);
  });

  test("a wrong password adds nobody", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    expectProblem(
      await post("/v1/auth/session/users", ada.token, { email: bob.email, password: "wrong password 1" }),
      "invalid_credentials",
    );
    expect((await get("/v1/auth/session", ada.token)).body.users).toHaveLength(1);
  });

  test("the same user twice is one user", async () => {
    const ada = await signUp(running.url);
    const joined = await addUser(ada.token, ada);
    expect((await get("/v1/auth/session", joined.body.accessToken)).body.users).toHaveLength(1);
  });
});

describe("the list of sessions and log-out from afar", () => {
  test("shows device and address, the current one marked, the last used first", async () => {
    const ada = await signUp(running.url);
    await logIn(ada, { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
    const { status, body } = await get("/v1/auth/sessions", ada.token);
    expect([status, body.nextCursor]).toEqual([200, null]);
    expect(body.data.map(({ current, device }: { current: boolean; device: string }) => [current, device])).toEqual([
      [false, "Firefox on Linux"],
      [true, "Bun"],
    ]);
    expect(body.data[0]).toMatchObject({ id: expect.stringMatching(/^ses_/), ip: "127.0.0.1" });
  });

  test("one: refused at once, the others go on", async () => {
    const ada = await signUp(running.url);
    const other = (await logIn(ada)).body;
    expect((await remove(`/v1/auth/sessions/${other.session.id}`, ada.token)).status).toBe(204);
    expectProblem(await get("/v1/me", other.accessToken), "invalid_token");
    expect((await get("/v1/me", ada.token)).status).toBe(200);
    expect((await get("/v1/auth/sessions", ada.token)).body.data).toHaveLength(1);
  });

  test("all but this one", async () => {
    const ada = await signUp(running.url);
    const others = [(await logIn(ada)).body, (await logIn(ada)).body];
    expect((await remove("/v1/auth/sessions", ada.token)).status).toBe(204);
    for (const { accessToken, refreshToken } of others) {
      expectProblem(await get("/v1/me", accessToken), "invalid_token");
      expectProblem(await request(running.url, "/v1/auth/refresh", { body: { refreshToken } }), "invalid_refresh_token");
    }
    expect((await get("/v1/me", ada.token)).status).toBe(200);
  });

  test("somebody else's session: 404, and it lives", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const { id } = (await get("/v1/auth/session", ada.token)).body.session;
    expectProblem(await remove(`/v1/auth/sessions/${id}`, eve.token), "not_found");
    expect((await get("/v1/me", ada.token)).status).toBe(200);
  });

  test("a session that others share only loses the user who asks", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const shared = (await addUser(ada.token, bob)).body;
    const elsewhere = (await logIn(bob)).body;
    expect((await remove(`/v1/auth/sessions/${shared.session.id}`, elsewhere.accessToken)).status).toBe(204);
    const renewed = await request(running.url, "/v1/auth/refresh", { body: { refreshToken: shared.refreshToken } });
    expect([renewed.status, renewed.body.user.id]).toEqual([200, ada.id]);
  });

  test("beyond the maximum the oldest goes", async () => {
    const ada = await signUp(running.url);
    const max = running.config.KEELSON_SESSIONS_MAX;
    let last = "";
    for (let n = 1; n <= max; n += 1) last = (await logIn(ada)).body.accessToken;
    expectProblem(await get("/v1/me", ada.token), "invalid_token");
    expect((await get("/v1/auth/sessions", last)).body.data).toHaveLength(max);
  });
});

describe("coming into somebody's session is a log-in", () => {
  const firefox = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" };
  const maxed = () => running.config.KEELSON_SESSIONS_MAX;

  test("audited, suspicious from a new device, and the user gets a mail", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    await request(running.url, "/v1/auth/session/users", {
      token: ada.token,
      body: { email: bob.email, password: bob.password },
      headers: firefox,
    });
    expect((await auditOf(bob.id)).slice(-2)).toEqual(["user.logged_in", "security.login_suspicious"]);
    const mail = await until("the mail is there", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      return body.data.find(({ to, subject }: { to: string; subject: string }) => to === bob.email && subject.startsWith("New log-in"));
    });
    expect(mail.text).toContain("Firefox on Linux from 127.0.0.1");
  });

  test("it counts among the sessions of the user: beyond the maximum the oldest goes", async () => {
    const bob = await signUp(running.url);
    let last = "";
    for (let n = 0; n < maxed(); n += 1) last = (await addUser((await signUp(running.url)).token, bob)).body.accessToken;
    expectProblem(await get("/v1/me", bob.token), "invalid_token");
    expect((await get("/v1/auth/sessions", last)).body.data).toHaveLength(maxed());
  });

  test("too many sessions of one user take that user out of a shared one and log nobody else out", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    await remove(`/v1/auth/session/users/${bob.id}`, bob.token);
    const shared = (await addUser(ada.token, bob)).body;
    for (let n = 0; n < maxed(); n += 1) await logIn(bob);
    const renewed = await refresh(shared.refreshToken);
    expect([renewed.status, renewed.body.user?.id]).toEqual([200, ada.id]);
    expect((await get("/v1/auth/session", renewed.body.accessToken)).body.users).toHaveLength(1);
  });

  test("showing the password again in one's own session ends none", async () => {
    const ada = await signUp(running.url);
    const others = [];
    for (let n = 1; n < maxed(); n += 1) others.push((await logIn(ada)).body.accessToken);
    expect((await addUser(ada.token, ada)).status).toBe(200);
    for (const token of others) expect((await get("/v1/me", token)).status).toBe(200);
  });

  test("the eleventh user: 409, and the ten go on; one of the ten may show the password again", async () => {
    const ada = await signUp(running.url);
    let { token } = ada;
    for (let n = 1; n < 10; n += 1) token = (await addUser(token, await signUp(running.url))).body.accessToken;
    expectProblem(await addUser(token, await signUp(running.url)), "conflict");
    expect((await get("/v1/auth/session", token)).body.users).toHaveLength(10);
    expect((await addUser(token, ada)).body.user.id).toBe(ada.id);
  });
});

describe("what is unusual about a log-in", () => {
  test("a new device is a security event, and the user gets a mail", async () => {
    const ada = await signUp(running.url);
    await logIn(ada, { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
    expect(await auditOf(ada.id)).toEqual([
      "user.signed_up",
      "user.link_mailed",
      "user.logged_in",
      "user.logged_in",
      "security.login_suspicious",
    ]);
    const mail = await until("the mail is there", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      return body.data.find(({ to, subject }: { to: string; subject: string }) => to === ada.email && subject.startsWith("New log-in"));
    });
    expect(mail.text).toContain("Firefox on Linux from 127.0.0.1");
  });

  test("a known device is not", async () => {
    const ada = await signUp(running.url);
    await logIn(ada);
    expect(await auditOf(ada.id)).toEqual(["user.signed_up", "user.link_mailed", "user.logged_in", "user.logged_in"]);
  });

  test("mails are sealed while they wait: a link in one opens an account", async () => {
    const ada = await signUp(running.url);
    await logIn(ada, { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
    const rows = await database`select input::text as input from tasks where job = 'notify.send-mail'`;
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.some(({ input }) => input.includes("example.com") || input.includes("Firefox"))).toBe(false);
  });
});
