import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { mailTo } from "./mailbox.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 2 });
});
afterAll(() => database.end());

const another = "quartz vexing jumbled sphinx";
const freshEmail = () => `${randomToken(9)}@example.com`;
const post = (path: string, body: unknown, token?: string): Promise<Answer> =>
  request(running.url, path, { body, ...(token ? { token } : {}) });
const login = (email: string, password: string) => post("/v1/auth/login", { email, password });
const change = (user: Pick<SignedInUser, "token">, body: unknown) => post("/v1/auth/password/change", body, user.token);
const sessionStatus = async (token: string) => (await request(running.url, "/v1/auth/session", { token })).status;
const storedHash = async (id: string): Promise<string> =>
  (await database`select password_hash from users where id = ${id}`)[0]?.password_hash;

describe("hashes that were made elsewhere or in other times", () => {
  const openwall = {
    password: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
    hash: "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
  };

  test.each(["$2a$", "$2b$", "$2y$"])("a %s hash opens the account, once; then it is argon2id", async (variant) => {
    const user = await signUp(running.url);
    await database`update users set password_hash = ${openwall.hash.replace("$2a$", variant)} where id = ${user.id}`;
    expectProblem(await login(user.email, "0123456789"), "invalid_credentials");
    expect(await storedHash(user.id)).toStartWith(variant);
    expect((await login(user.email, openwall.password)).status).toBe(200);
    expect(await storedHash(user.id)).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect((await login(user.email, openwall.password)).status).toBe(200);
    // Now all of it counts.
    expectProblem(await login(user.email, openwall.password.slice(0, 72)), "invalid_credentials");
  });

  test("many log-ins at once to an imported account all succeed", async () => {
    const user = await signUp(running.url);
    await database`update users set password_hash = ${openwall.hash} where id = ${user.id}`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => login(user.email, openwall.password)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  });

  test("weaker argon2id parameters are replaced at log-in, current ones are kept", async () => {
    const user = await signUp(running.url);
    const weak = await Bun.password.hash(user.password, { algorithm: "argon2id", memoryCost: 8_192, timeCost: 1 });
    await database`update users set password_hash = ${weak} where id = ${user.id}`;
    expect((await login(user.email, user.password)).status).toBe(200);
    const stored = await storedHash(user.id);
    expect(stored).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect((await login(user.email, user.password)).status).toBe(200);
    expect(await storedHash(user.id)).toBe(stored);
  });

  test("an account without a password is opened by none", async () => {
    const user = await signUp(running.url);
    await database`update users set password_hash = null where id = ${user.id}`;
    for (const password of ["", "null", user.password, "nobody has this password"])
      expectProblem(await login(user.email, password), "invalid_credentials");
  });
});

describe("one password however it is typed", () => {
  test("signed up with NFC, logged in with NFD and the other way round", async () => {
    const forms = ["r\u00e9sum\u00e9 caf\u00e9 na\u00efve", "re\u0301sume\u0301 cafe\u0301 nai\u0308ve"];
    for (const [at, form] of forms.entries()) {
      const email = freshEmail();
      expect((await post("/v1/auth/signup", { email, password: form })).status).toBe(201);
      expect((await login(email, forms[1 - at] ?? "")).status).toBe(200);
      expectProblem(await login(email, "resume cafe naive"), "invalid_credentials");
    }
  });
});

describe("a password that is easy to guess", () => {
  const email = freshEmail();
  test.each<readonly [string, object]>([
    ["password1", {}],
    ["qwertyuiop", {}],
    ["ｐａｓｓｗｏｒｄ", {}],
    ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", {}],
    [email, {}],
    ["ada lovelace", { name: "Ada Lovelace" }],
  ])("%s: 400 weak_password with advice, and no account", async (password, more) => {
    const answer = await post("/v1/auth/signup", { email, password, ...more });
    expectProblem(answer, "weak_password");
    expect(answer.body.errors).toEqual([{ pointer: "/password", detail: answer.body.detail }]);
    expect(answer.body.detail.length).toBeGreaterThan(10);
    expect(await database`select 1 from users where email = ${email}`).toHaveLength(0);
  });

  test("is said before whether the address is taken", async () => {
    const user = await signUp(running.url);
    expectProblem(await post("/v1/auth/signup", { email: user.email, password: "password1" }), "weak_password");
  });

  test("10 000 characters are refused before anything is estimated or hashed", async () => {
    const secret = "4@8({[</3!".repeat(1_000);
    const user = await signUp(running.url);
    expect(pointersOf(await post("/v1/auth/signup", { email, password: secret }))).toEqual(["/password"]);
    expect(pointersOf(await login(user.email, secret))).toEqual(["/password"]);
    expect(pointersOf(await change(user, { currentPassword: secret, newPassword: secret }))).toEqual(["/currentPassword", "/newPassword"]);
    expect(pointersOf(await post("/v1/auth/password/reset", { token: "x", newPassword: secret }))).toEqual(["/newPassword"]);
  });

  test("KEELSON_PASSWORD_SCORE_MIN: 0 takes it, 4 wants more than the default does", async () => {
    await using lax = await startTestCopy("postgres", { KEELSON_PASSWORD_SCORE_MIN: "0" });
    await using strict = await startTestCopy("postgres", { KEELSON_PASSWORD_SCORE_MIN: "4" });
    const on = (url: string, password: string) => request(url, "/v1/auth/signup", { body: { email: freshEmail(), password } });
    expect((await on(lax.url, "password1")).status).toBe(201);
    expectProblem(await on(strict.url, "correct horse"), "weak_password");
    expect((await on(strict.url, "correct horse battery staple")).status).toBe(201);
  }, 30_000);
});

describe("passwords that have leaked", () => {
  const leaked = "zebra plinth ocarina dusk";
  const padding = "mulberry gasket tundra";
  const seen: { readonly path: string; readonly padding: string | null; readonly body: string }[] = [];
  let mode: "answer" | "fail" | "hang" | "redirect" = "answer";
  const digestOf = (password: string) => createHash("sha1").update(password).digest("hex").toUpperCase();
  /** Speaks as api.pwnedpasswords.com does: upper-case suffixes, counts, CRLF, and padding with the count 0. */
  const service = Bun.serve({
    port: 0,
    fetch: async (asked) => {
      const { pathname } = new URL(asked.url);
      seen.push({ path: pathname, padding: asked.headers.get("add-padding"), body: await asked.text() });
      if (mode === "fail") return new Response("down", { status: 503 });
      if (mode === "hang") return new Promise<Response>(() => undefined);
      if (mode === "redirect") return Response.redirect("http://127.0.0.1:1/", 302);
      const own = digestOf(leaked);
      const padded = digestOf(padding);
      const lines = [
        "0018A45C4D1DEF81644B54AB7F969B88D65:10",
        `${padded.slice(5)}:0`,
        `${own.slice(5)}:37`,
        "011053FD0102E94D6AE2F8B83D76FAF94F6:1",
      ];
      return new Response(lines.join("\r\n"), { headers: { "content-type": "text/plain" } });
    },
  });
  afterAll(() => service.stop(true));
  const copy = sharedCopy("postgres", { KEELSON_BREACHED_PASSWORDS_URL: `http://127.0.0.1:${service.port}/range/` });
  const signup = (password: string) => request(copy.url, "/v1/auth/signup", { body: { email: freshEmail(), password } });

  test("are refused; only five hex digits leave, and padding is asked for", async () => {
    mode = "answer";
    seen.length = 0;
    const answer = await signup(leaked);
    expectProblem(answer, "weak_password");
    expect(answer.body.errors[0].pointer).toBe("/password");
    expect(seen).toEqual([{ path: `/range/${digestOf(leaked).slice(0, 5)}`, padding: "true", body: "" }]);
    expect((await signup(another)).status).toBe(201);
  });

  test("a padding line is no leak", async () => {
    mode = "answer";
    expect((await signup(padding)).status).toBe(201);
  });

  test.each(["fail", "hang", "redirect"] as const)("when the service does %s, the password is taken", async (how) => {
    mode = how;
    seen.length = 0;
    expect((await signup(leaked)).status).toBe(201);
    expect(seen).toHaveLength(1);
  });

  test("weak ones are not even asked about", async () => {
    mode = "answer";
    seen.length = 0;
    expectProblem(await signup("password1"), "weak_password");
    expect(seen).toEqual([]);
  });
});

describe("POST /v1/auth/password/change", () => {
  test("204: the new one opens, the old one does not; all other sessions end, this one goes on; a mail says so", async () => {
    const user = await signUp(running.url);
    const other = (await login(user.email, user.password)).body;
    expect((await change(user, { currentPassword: user.password, newPassword: another })).status).toBe(204);
    expect(await sessionStatus(user.token)).toBe(200);
    expect((await post("/v1/auth/refresh", { refreshToken: user.refreshToken })).status).toBe(200);
    expectProblem(await request(running.url, "/v1/auth/session", { token: other.accessToken }), "invalid_token");
    expectProblem(await post("/v1/auth/refresh", { refreshToken: other.refreshToken }), "invalid_refresh_token");
    expectProblem(await login(user.email, user.password), "invalid_credentials");
    expect((await login(user.email, another)).status).toBe(200);
    expect((await mailTo(running.url, user.email, "Your password was changed")).text).not.toContain(another);
    const [row] = await database`select actor_id, data from audit_log where action = 'user.password_changed' and subject = ${user.id}`;
    expect(row).toEqual({ actor_id: user.id, data: { how: "change" } });
  });

  test("the others in a shared session stay in it", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const shared = await post("/v1/auth/session/users", { email: ada.email, password: ada.password }, bob.token);
    expect((await change(ada, { currentPassword: ada.password, newPassword: another })).status).toBe(204);
    const renewed = await post("/v1/auth/refresh", { refreshToken: shared.body.refreshToken });
    expect([renewed.status, renewed.body.user.id]).toEqual([200, bob.id]);
  });

  test.each<readonly [string, (user: SignedInUser) => object, "invalid_credentials" | "weak_password"]>([
    ["a wrong current password", () => ({ currentPassword: "wrong", newPassword: another }), "invalid_credentials"],
    ["an empty current password", () => ({ currentPassword: "", newPassword: another }), "invalid_credentials"],
    ["a weak new one", ({ password }) => ({ currentPassword: password, newPassword: "password1" }), "weak_password"],
    ["the address as the new one", ({ password, email }) => ({ currentPassword: password, newPassword: email }), "weak_password"],
  ])("%s changes nothing", async (_, body, code) => {
    const user = await signUp(running.url);
    const answer = await change(user, body(user));
    expectProblem(answer, code);
    if (code === "weak_password") expect(answer.body.errors[0].pointer).toBe("/newPassword");
    expect((await login(user.email, user.password)).status).toBe(200);
  });

  test.each<readonly [object, readonly string[]]>([
    [{}, ["/newPassword"]],
    [{ newPassword: another }, ["/currentPassword"]],
    [{ currentPassword: "x", newPassword: "short" }, ["/newPassword"]],
    [{ currentPassword: null, newPassword: another }, ["/currentPassword"]],
    [{ currentPassword: "x", newPassword: another, userId: "usr_1" }, ["/userId"]],
  ])("%j: 400", async (body, pointers) => {
    const user = await signUp(running.url);
    expect(pointersOf(await change(user, body))).toEqual([...pointers]);
  });

  test("of changes at once one succeeds, and its password is the one that opens", async () => {
    const user = await signUp(running.url);
    const wishes = [0, 1, 2, 3].map((n) => `${another} ${n}`);
    const answers = await Promise.all(wishes.map((newPassword) => change(user, { currentPassword: user.password, newPassword })));
    const opened = await Promise.all(wishes.map((wish) => login(user.email, wish)));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(opened.map(({ status }) => status === 200)).toEqual(answers.map(({ status }) => status === 204));
  });

  test("an account without a password may set one within ten minutes of its log-in, and not later", async () => {
    const user = await signUp(running.url);
    await database`update users set password_hash = null where id = ${user.id}`;
    await database`update session_users set authenticated_at = now() - interval '601 seconds' where user_id = ${user.id}`;
    expectProblem(await change(user, { newPassword: another }), "reauthentication_required");
    expectProblem(await change(user, { newPassword: another, currentPassword: "" }), "reauthentication_required");
    await database`update session_users set authenticated_at = now() - interval '590 seconds' where user_id = ${user.id}`;
    expect((await change(user, { newPassword: another })).status).toBe(204);
    expect((await login(user.email, another)).status).toBe(200);
  });

  test("nobody without a token", async () => {
    expectProblem(await post("/v1/auth/password/change", { currentPassword: "x", newPassword: another }), "unauthenticated");
  });
});

describe("KEELSON_PASSWORD_HISTORY", () => {
  test("3: the last three may not come again, the one before them may; off: any may", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_PASSWORD_HISTORY: "3" });
    const user = await signUp(copy.url);
    const to = (currentPassword: string, newPassword: string) =>
      request(copy.url, "/v1/auth/password/change", { token: user.token, body: { currentPassword, newPassword } });
    const [first, second, third, fourth] = [user.password, `${another} 2`, `${another} 3`, `${another} 4`] as const;
    expectProblem(await to(first, first), "weak_password");
    expect((await to(first, second)).status).toBe(204);
    expectProblem(await to(second, first), "weak_password");
    expect((await to(second, third)).status).toBe(204);
    expectProblem(await to(third, first), "weak_password");
    expect((await to(third, fourth)).status).toBe(204);
    expectProblem(await to(fourth, second), "weak_password");
    expect((await to(fourth, first)).status).toBe(204);

    const free = await signUp(running.url);
    expect((await change(free, { currentPassword: free.password, newPassword: free.password })).status).toBe(204);
  }, 30_000);
});
