import { describe, expect, test } from "bun:test";
import { type Answer, request, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";

const password = "correct horse battery staple";
const admin = { email: "root@example.com", password };
const setUp = (url: string, body: unknown): Promise<Answer> => request(url, "/v1/auth/setup", { body });

/** A later start of a copy on the same database. */
const restart = ({ config }: TestCopy, settings: Record<string, string> = {}) =>
  startTestCopy("postgres", { DATABASE_URL: config.DATABASE_URL ?? "", KEELSON_DATA_DIR: config.KEELSON_DATA_DIR, ...settings });

describe("the set-up link", () => {
  test("creates the first administrator, once", async () => {
    await using running = await startTestCopy();
    const { url, copy } = running;
    const token = copy.setupToken;
    expect(token).toMatch(/^[\w-]{32}$/);

    const answer = await setUp(url, { token, ...admin, name: "Root" });
    expect(answer.status).toBe(201);
    expect(answer.body.user).toMatchObject({ email: admin.email, name: "Root", role: "admin" });
    expect((await request(url, "/v1/me", { token: answer.body.accessToken })).body.user.role).toBe("admin");

    for (const body of [
      { token, ...admin },
      { token, email: "second@example.com", password },
    ])
      expectProblem(await setUp(url, body), "invalid_setup_token");
    expectProblem(await request(url, "/v1/auth/login", { body: { email: "second@example.com", password } }), "invalid_credentials");
    expect((await request(url, "/v1/auth/login", { body: admin })).body.user.role).toBe("admin");
  }, 30_000);

  test("used by many at once it creates one administrator", async () => {
    await using running = await startTestCopy();
    const { url, copy } = running;
    const tries = Array.from({ length: 6 }, (_, n) => setUp(url, { token: copy.setupToken, email: `root${n}@example.com`, password }));
    const answers = await Promise.all(tries);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400, 400, 400]);
  }, 30_000);

  test("wrong tokens, bad fields and a taken address are refused and do not use it up", async () => {
    await using running = await startTestCopy();
    const { url, copy } = running;
    const token = copy.setupToken ?? "";
    for (const wrong of [
      "",
      "x",
      `${token}x`,
      token.slice(1),
      token.toLowerCase() === token ? "y" : token.toLowerCase(),
      ` ${token}`,
      "a\0b",
    ]) {
      expectProblem(await setUp(url, { token: wrong, ...admin }), "invalid_setup_token");
    }
    expect(pointersOf(await setUp(url, admin))).toEqual(["/token"]);
    expect(pointersOf(await setUp(url, { token, email: "root", password: "short" }))).toEqual(["/email", "/password"]);
    expect(pointersOf(await setUp(url, { token, ...admin, role: "user" }))).toEqual(["/role"]);
    expect(pointersOf(await setUp(url, { token: "x".repeat(129), ...admin }))).toEqual(["/token"]);
    const user = await signUp(url);
    expectProblem(await setUp(url, { token, email: user.email.toUpperCase(), password }), "email_taken");
    expect((await setUp(url, { token, ...admin })).status).toBe(201);
  }, 30_000);

  test("works while sign-up is closed", async () => {
    await using running = await startTestCopy("postgres", { KEELSON_SIGNUP: "closed" });
    expect((await setUp(running.url, { token: running.copy.setupToken, ...admin })).status).toBe(201);
  }, 30_000);

  test("is given at the very first start only", async () => {
    await using first = await startTestCopy();
    const { setupToken } = first.copy;
    {
      await using second = await restart(first);
      expect(second.copy.setupToken).toBeUndefined();
      // The link of the first start is still good: it was not used.
      expect((await setUp(second.url, { token: setupToken, ...admin })).status).toBe(201);
    }
  }, 30_000);

  test("its page stands alone, keeps the token out of caches and referrers, and takes the form", async () => {
    await using running = await startTestCopy();
    const page = await request(running.url, `/v1/auth/setup?token=${running.copy.setupToken}`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect([page.headers.get("cache-control"), page.headers.get("referrer-policy")]).toEqual(["no-store", "no-referrer"]);
    expect(page.headers.get("x-frame-options")).toBe("DENY");
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(page.body).not.toMatch(/https?:\/\/|src=|href=/);
    expect(page.body).not.toContain(running.copy.setupToken ?? "");
    for (const part of ['name="email"', 'name="password"', 'minlength="8"', 'fetch("/v1/auth/setup"']) expect(page.body).toContain(part);
    const hostile = await request(running.url, `/v1/auth/setup?token=${encodeURIComponent("<script>alert(1)</script>")}`);
    expect(hostile.body).toBe(page.body);
  }, 30_000);
});

describe("KEELSON_ADMIN_EMAIL and KEELSON_ADMIN_PASSWORD", () => {
  const settings = { KEELSON_ADMIN_EMAIL: admin.email, KEELSON_ADMIN_PASSWORD: admin.password };

  test("create the administrator at the first start; then there is no link", async () => {
    await using running = await startTestCopy("postgres", settings);
    expect(running.copy.setupToken).toBeUndefined();
    const login = await request(running.url, "/v1/auth/login", { body: admin });
    expect([login.status, login.body.user.role]).toEqual([200, "admin"]);
  }, 30_000);

  test("change nothing at later starts, whatever they say by then", async () => {
    await using first = await startTestCopy("postgres", settings);
    const later = { KEELSON_ADMIN_EMAIL: "eve@example.com", KEELSON_ADMIN_PASSWORD: "another password" };
    await using second = await restart(first, later);
    expectProblem(
      await request(second.url, "/v1/auth/login", { body: { email: "eve@example.com", password: "another password" } }),
      "invalid_credentials",
    );
    expect((await request(second.url, "/v1/auth/login", { body: admin })).status).toBe(200);
  }, 30_000);

  test("make the unused link useless", async () => {
    await using first = await startTestCopy();
    const { setupToken } = first.copy;
    await using second = await restart(first, settings);
    expectProblem(await setUp(second.url, { token: setupToken, email: "late@example.com", password }), "invalid_setup_token");
  }, 30_000);

  test("an address that a user has taken: the copy does not start, and says why", async () => {
    await using first = await startTestCopy();
    await request(first.url, "/v1/auth/signup", { body: admin });
    await expect(restart(first, settings)).rejects.toThrow(/sign up with another address|root@example\.com/);
  }, 30_000);
});
