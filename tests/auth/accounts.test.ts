import { describe, expect, test } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy();
const password = "correct horse battery staple";
const freshEmail = () => `${randomToken(9)}@example.com`;
const post = (path: string, body: unknown, token?: string): Promise<Answer> =>
  request(running.url, path, { body, ...(token ? { token } : {}) });
const get = (path: string, token: string): Promise<Answer> => request(running.url, path, { token });

function expectSignedIn({ body }: Answer, email: string): void {
  expect([body.user.email, body.user.role]).toEqual([email, "user"]);
  expect([body.session.userId, body.session.ip]).toEqual([body.user.id, "127.0.0.1"]);
  expect(body.user.id).toMatch(/^usr_[0-9a-f]{32}$/);
  expect(body.session.id).toMatch(/^ses_[0-9a-f]{32}$/);
  expect([body.tokenType, body.expiresIn]).toEqual(["Bearer", 900]);
  expect(body.accessToken.split(".")).toHaveLength(3);
  expect(body.refreshToken).toMatch(/^[\w-]{43}$/);
  expect(JSON.stringify(body)).not.toMatch(/passw|argon|hash/i);
}

describe("POST /v1/auth/signup", () => {
  test("201: the account, a session and tokens that work", async () => {
    const email = freshEmail();
    const answer = await post("/v1/auth/signup", { email, password, name: "Ada" });
    expect(answer.status).toBe(201);
    expectSignedIn(answer, email);
    expect((await get("/v1/me", answer.body.accessToken)).body).toEqual({ user: answer.body.user });
    expect(answer.body.user.name).toBe("Ada");
  });

  test("an address that has an account, in any spelling of case: 409, and its account is as before", async () => {
    const email = `Ada.${freshEmail()}`;
    const first = await post("/v1/auth/signup", { email, password });
    for (const spelling of [email, email.toLowerCase(), email.toUpperCase().replace("EXAMPLE.COM", "example.com")]) {
      expectProblem(await post("/v1/auth/signup", { email: spelling, password: "another password" }), "email_taken");
    }
    expectProblem(await post("/v1/auth/login", { email, password: "another password" }), "invalid_credentials");
    expect((await get("/v1/me", first.body.accessToken)).body.user.email).toBe(email);
  });

  test("of many sign-ups of one address at once exactly one succeeds", async () => {
    const email = freshEmail();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => post("/v1/auth/signup", { email: n % 2 ? email : email.toUpperCase(), password })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  });

  test.each<readonly [string, string]>([
    ["8 letters", "qzvkwxjm"],
    ["8 emoji, which are 16 UTF-16 units and 32 bytes", "🐙🦑🦐🪼🐡🐳🦭🪸"],
    ["128 letters", "quartz vexing jumbled sphinx fog".repeat(4)],
    ["128 emoji, which are 256 UTF-16 units", "🐙🦑🦐🪼🐡🐳🦭🪸".repeat(16)],
    ["spaces at both ends", "  spaced  "],
    ["NUL and line breaks", "a\0b\nc\r\nde"],
    ["two that are the same after 72 bytes (bcrypt would confuse them)", `${"quartz vexing jumbled sphinx fog".repeat(3)}1234A`],
  ])("password of %s: taken, and only exactly it logs in", async (_, secret) => {
    const email = freshEmail();
    expect((await post("/v1/auth/signup", { email, password: secret })).status).toBe(201);
    expect((await post("/v1/auth/login", { email, password: secret })).status).toBe(200);
    for (const near of [
      secret.slice(0, -1),
      `${secret} `,
      secret.toUpperCase() === secret ? `${secret}x` : secret.toUpperCase(),
      secret.trim() === secret ? `${secret}\0` : secret.trim(),
    ]) {
      expectProblem(await post("/v1/auth/login", { email, password: near }), "invalid_credentials");
    }
  });

  test.each<readonly [string, unknown]>([
    ["7 letters", "abcdefg"],
    ["7 emoji, which are 14 UTF-16 units", "🐙".repeat(7)],
    ["129 letters", "p".repeat(129)],
    ["129 emoji", "🐙".repeat(129)],
    ["nothing", ""],
    ["a number", 12_345_678],
    ["null", null],
    ["a list", ["abcdefgh"]],
  ])("password of %s: 400 at /password", async (_, secret) => {
    expect(pointersOf(await post("/v1/auth/signup", { email: freshEmail(), password: secret }))).toEqual(["/password"]);
  });

  test.each([
    "",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@exa mple.com",
    "ada@example.com ",
    " ada@example.com",
    "ada@example.com\n",
    "ada\0@example.com",
    "a@b@example.com",
    "ada@example.com,eve@example.com",
    "Ada <ada@example.com>",
    `${"a".repeat(250)}@example.com`,
    "ada@example.com\r\nbcc: eve@example.com",
  ])("address %j: 400 at /email", async (email) => {
    expect(pointersOf(await post("/v1/auth/signup", { email, password }))).toEqual(["/email"]);
  });

  test.each<readonly [object, string]>([
    [{ role: "admin" }, "/role"],
    [{ id: "usr_00000000000000000000000000000001" }, "/id"],
    [{ createdAt: "2000-01-01T00:00:00Z" }, "/createdAt"],
    [{ passwordHash: "x" }, "/passwordHash"],
    [{ password_hash: "x" }, "/password_hash"],
    [{ session: { id: "ses_1" } }, "/session"],
    [{ token: "x" }, "/token"],
  ])("a field the caller may not set, %j: 400, and no account is made", async (extra, pointer) => {
    const email = freshEmail();
    expect(pointersOf(await post("/v1/auth/signup", { email, password, ...extra }))).toEqual([pointer]);
    expectProblem(await post("/v1/auth/login", { email, password }), "invalid_credentials");
  });

  test("KEELSON_SIGNUP=closed: 403, and log-in still works", async () => {
    const settings = { KEELSON_SIGNUP: "closed", KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: password };
    await using closed = await startTestCopy("postgres", settings);
    expectProblem(await request(closed.url, "/v1/auth/signup", { body: { email: freshEmail(), password } }), "signup_closed");
    const login = await request(closed.url, "/v1/auth/login", { body: { email: "root@example.com", password } });
    expect([login.status, login.body.user.role]).toEqual([200, "admin"]);
  }, 30_000);

  test("KEELSON_SIGNUP=invite: nobody signs up without an invitation", async () => {
    await using invite = await startTestCopy("postgres", { KEELSON_SIGNUP: "invite" });
    expectProblem(await request(invite.url, "/v1/auth/signup", { body: { email: freshEmail(), password } }), "signup_closed");
  }, 30_000);
});

describe("POST /v1/auth/login", () => {
  test("200: a session of its own each time, and the address in any case", async () => {
    const user = await signUp(running.url);
    const answers = [
      await post("/v1/auth/login", { email: user.email, password: user.password }),
      await post("/v1/auth/login", { email: user.email.toUpperCase(), password: user.password }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expectSignedIn(answer, user.email);
      expect(answer.body.user.id).toBe(user.id);
    }
    const sessions = answers.map(({ body }) => body.session.id);
    expect(new Set(sessions).size).toBe(2);
  });

  test("an unknown account and a wrong password get the same answer, in about the same time", async () => {
    const user = await signUp(running.url);
    const wrong = { email: user.email, password: "not the password" };
    const unknown = { email: freshEmail(), password: "not the password" };
    const seen: unknown[] = [];
    const best: number[] = [];
    for (const body of [wrong, unknown]) {
      const times: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        const startedAt = performance.now();
        const answer = await post("/v1/auth/login", body);
        times.push(performance.now() - startedAt);
        expectProblem(answer, "invalid_credentials");
        seen.push({ ...answer.body, instance: "" });
      }
      best.push(Math.min(...times));
    }
    for (const body of seen) expect(body).toEqual(seen[0]);
    const [ofWrong = 0, ofUnknown = 0] = best;
    expect(ofUnknown).toBeGreaterThan(ofWrong / 2);
    expect(ofUnknown).toBeLessThan(ofWrong * 2);
  }, 15_000);

  test.each<readonly [object, readonly string[]]>([
    [{}, ["/email", "/password"]],
    [{ email: ["a@example.com"], password: { $ne: null } }, ["/email", "/password"]],
    [{ email: "a@example.com", password: "x", role: "admin" }, ["/role"]],
    [{ email: "a@example.com", password: "x", userId: "usr_1" }, ["/userId"]],
    [{ email: "a@example.com", password: "x".repeat(1_025) }, ["/password"]],
    [{ email: `${"a".repeat(255)}`, password: "x" }, ["/email"]],
  ])("%j: 400", async (body, pointers) => {
    expect(pointersOf(await post("/v1/auth/login", body))).toEqual([...pointers]);
  });

  test.each(["' or 1=1 --", "%", "_%@example.com", "\\", "admin'/*"])("%s is an address like any other", async (email) => {
    expectProblem(await post("/v1/auth/login", { email, password: "x" }), "invalid_credentials");
  });

  test("an empty password logs nobody in", async () => {
    const { email } = await signUp(running.url);
    expectProblem(await post("/v1/auth/login", { email, password: "" }), "invalid_credentials");
  });
});

describe("the session", () => {
  test("GET /v1/auth/session shows it and who is in it", async () => {
    const user = await signUp(running.url);
    const { status, body } = await get("/v1/auth/session", user.token);
    expect([status, body.activeUserId]).toEqual([200, user.id]);
    expect(body.users).toEqual([{ id: user.id, email: user.email, name: null, role: "user" }]);
    expect(body.session).toMatchObject({ userId: user.id, ip: "127.0.0.1" });
  });

  test.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
      "Safari on macOS",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      "Chrome on Windows",
    ],
    ["curl/8.5.0", "curl"],
    ["Kestrel/1.0 (é)", "Kestrel"],
    ["(){}", "Unknown device"],
  ])("the device of %j is %j", async (userAgent, device) => {
    const { email, password: secret } = await signUp(running.url);
    const answer = await request(running.url, "/v1/auth/login", {
      body: { email, password: secret },
      headers: { "user-agent": userAgent },
    });
    expect(answer.body.session.device).toBe(device);
  });

  test("POST /v1/auth/logout: 204, the session is over, its refresh token is dead, other sessions live", async () => {
    const user = await signUp(running.url);
    const other = (await post("/v1/auth/login", { email: user.email, password: user.password })).body;
    const bye = await request(running.url, "/v1/auth/logout", { method: "POST", token: user.token });
    expect([bye.status, bye.body]).toEqual([204, ""]);
    expectProblem(await get("/v1/auth/session", user.token), "invalid_token");
    expectProblem(await post("/v1/auth/refresh", { refreshToken: user.refreshToken }), "invalid_refresh_token");
    expect((await get("/v1/auth/session", other.accessToken)).status).toBe(200);
    expect((await post("/v1/auth/refresh", { refreshToken: other.refreshToken })).status).toBe(200);
  });

  test("logging out twice: the second time there is no session", async () => {
    const { token } = await signUp(running.url);
    const logOut = () => request(running.url, "/v1/auth/logout", { method: "POST", token });
    expect((await logOut()).status).toBe(204);
    expectProblem(await logOut(), "invalid_token");
  });
});
