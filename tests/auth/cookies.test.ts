import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, request, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { mailTo, tokenIn } from "./mailbox.ts";

const app = "https://app.example.com";
let running: TestCopy;
beforeAll(async () => {
  running = await startTestCopy("postgres", { KEELSON_CORS_ORIGINS: app });
}, 60_000);
afterAll(() => running[Symbol.asyncDispose](), 60_000);

const own = () => ({ origin: running.url });
const asCookies = { "x-session-transport": "cookie" };

/** What a browser would send back. */
function jarOf(answer: Answer): string {
  return answer.headers
    .getSetCookie()
    .map((line) => line.slice(0, line.indexOf(";")))
    .join("; ");
}

async function logInByCookie(): Promise<{ readonly id: string; readonly cookie: string; readonly answer: Answer }> {
  const { id, email, password } = await signUp(running.url);
  const answer = await request(running.url, "/v1/auth/login", { body: { email, password }, headers: asCookies });
  return { id, cookie: jarOf(answer), answer };
}

describe("tokens in cookies", () => {
  test("are asked for by a header; then no script gets to see them", async () => {
    const { answer } = await logInByCookie();
    expect(answer.status).toBe(200);
    expect(answer.body).not.toHaveProperty("accessToken");
    expect(answer.body).not.toHaveProperty("refreshToken");
    expect(answer.body.user.id).toBeString();
    const lines = answer.headers.getSetCookie();
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toStartWith("__Host-keelson_");
      for (const part of ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]) expect(line).toContain(part);
      expect(line).not.toContain("Domain");
    }
  });

  test("without the header a log-in sets none", async () => {
    const { email, password } = await signUp(running.url);
    const answer = await request(running.url, "/v1/auth/login", { body: { email, password } });
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(answer.body.accessToken).toBeString();
  });

  test("reading needs nothing more; the Authorization header goes before the cookie", async () => {
    const { id, cookie } = await logInByCookie();
    expect((await request(running.url, "/v1/me", { headers: { cookie } })).body.user.id).toBe(id);
    const other = await signUp(running.url);
    expect((await request(running.url, "/v1/me", { headers: { cookie }, token: other.token })).body.user.id).toBe(other.id);
    expectProblem(await request(running.url, "/v1/me", { headers: { cookie }, token: "a.b.c" }), "invalid_token");
  });

  test("a log-in by link sets them too", async () => {
    const { email } = await signUp(running.url);
    await request(running.url, "/v1/auth/magic-link", { body: { email } });
    const token = tokenIn(await mailTo(running.url, email, "Your log-in link"));
    const answer = await request(running.url, "/v1/auth/magic-link/verify", { body: { token }, headers: asCookies });
    expect([answer.status, answer.headers.getSetCookie().length, answer.headers.get("cache-control")]).toEqual([200, 2, "no-store"]);
    expect(answer.body).not.toHaveProperty("accessToken");
    expect((await request(running.url, "/v1/me", { headers: { cookie: jarOf(answer) } })).body.user.email).toBe(email);
  });

  test("a refresh takes the cookie and sets new ones", async () => {
    const { cookie } = await logInByCookie();
    const renewed = await request(running.url, "/v1/auth/refresh", { body: {}, headers: { cookie, ...own() } });
    expect([renewed.status, renewed.headers.getSetCookie().length]).toEqual([200, 2]);
    expect(renewed.body).not.toHaveProperty("refreshToken");
    expect((await request(running.url, "/v1/me", { headers: { cookie: jarOf(renewed) } })).status).toBe(200);
  });

  test("a refresh with neither body nor cookie: 400", async () => {
    expect(pointersOf(await request(running.url, "/v1/auth/refresh", { body: {} }))).toEqual(["/refreshToken"]);
  });

  test("log-out clears them and ends the session", async () => {
    const { cookie } = await logInByCookie();
    const bye = await request(running.url, "/v1/auth/logout", { method: "POST", headers: { cookie, ...own() } });
    expect(bye.status).toBe(204);
    expect(bye.headers.getSetCookie().map((line) => /Max-Age=0/.test(line))).toEqual([true, true]);
    expectProblem(await request(running.url, "/v1/me", { headers: { cookie } }), "invalid_token");
  });
});

describe("writes that only a cookie vouches for (CSRF)", () => {
  const attempt = async (headers: Record<string, string>) => {
    const { cookie } = await logInByCookie();
    return request(running.url, "/v1/me", { method: "PATCH", body: { name: "Mallory" }, headers: { cookie, ...headers } });
  };

  test.each<readonly [string, () => Record<string, string>]>([
    ["from our own page", () => own()],
    ["Sec-Fetch-Site says so", () => ({ "sec-fetch-site": "same-origin" })],
    ["from an origin of KEELSON_CORS_ORIGINS", () => ({ origin: app, "sec-fetch-site": "cross-site" })],
  ])("%s: taken", async (_, headers) => {
    expect((await attempt(headers())).status).toBe(200);
  });

  test.each<readonly [string, Record<string, string>]>([
    ["another site", { origin: "https://evil.example" }],
    ["another site, honest metadata", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["a sibling domain", { origin: "https://evil.example.com", "sec-fetch-site": "same-site" }],
    ["the trusted host on another scheme", { origin: "http://app.example.com" }],
    ["a longer host that begins alike", { origin: "https://app.example.com.evil.example" }],
    ["an opaque origin", { origin: "null" }],
    ["no origin that parses", { origin: "::" }],
    ["neither Origin nor metadata", {}],
    ["metadata alone that says cross-site", { "sec-fetch-site": "cross-site" }],
    ["metadata alone that says none", { "sec-fetch-site": "none" }],
  ])("%s: 403", async (_, headers) => {
    expectProblem(await attempt(headers), "cross_site_request");
  });

  test.each(["ftp:", "https:"])("our host on %s: 403", async (scheme) => {
    expectProblem(await attempt({ origin: running.url.replace("http:", scheme) }), "cross_site_request");
  });

  test("with KEELSON_PUBLIC_URL a page of that origin may, and one of the host that the request came to may not", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_PUBLIC_URL: "https://api.example.com/keelson" });
    const { email, password } = await signUp(copy.url);
    const cookie = jarOf(await request(copy.url, "/v1/auth/login", { body: { email, password }, headers: asCookies }));
    const write = (headers: Record<string, string>) =>
      request(copy.url, "/v1/me", { method: "PATCH", body: { name: "Ada" }, headers: { cookie, ...headers } });
    expect((await write({ origin: "https://api.example.com" })).status).toBe(200);
    for (const origin of ["http://api.example.com", "https://api.example.com:8443", copy.url])
      expectProblem(await write({ origin, host: "api.example.com" }), "cross_site_request");
  }, 30_000);

  test("refresh and log-out by cookie are writes", async () => {
    const { cookie } = await logInByCookie();
    const headers = { cookie, origin: "https://evil.example" };
    expectProblem(await request(running.url, "/v1/auth/refresh", { body: {}, headers }), "cross_site_request");
    expectProblem(await request(running.url, "/v1/auth/logout", { method: "POST", headers }), "cross_site_request");
    expect((await request(running.url, "/v1/me", { headers: { cookie } })).status).toBe(200);
  });

  test("a bearer token needs no origin: no browser sends it by itself", async () => {
    const { token } = await signUp(running.url);
    const headers = { origin: "https://evil.example" };
    expect((await request(running.url, "/v1/me", { method: "PATCH", body: { name: "Ada" }, token, headers })).status).toBe(200);
  });
});

describe("CORS", () => {
  const preflight = (origin: string) =>
    request(running.url, "/v1/me", { method: "OPTIONS", headers: { origin, "access-control-request-method": "PATCH" } });

  test("a configured origin may send credentials and read answers, refusals too", async () => {
    const allowed = await preflight(app);
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, app]);
    expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
    const refused = await request(running.url, "/v1/me", { headers: { origin: app } });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, app]);
    expect(refused.headers.get("vary")).toContain("Origin");
  });

  test.each(["https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "null"])(
    "%s may not",
    async (origin) => {
      expect((await preflight(origin)).headers.get("access-control-allow-origin")).toBeNull();
      expect((await request(running.url, "/v1/me", { headers: { origin } })).headers.get("access-control-allow-origin")).toBeNull();
    },
  );
});

describe("header and cookie bombs", () => {
  test.each<readonly [string, Record<string, string>]>([
    ["a thousand cookies", { cookie: Array.from({ length: 1_000 }, (_, n) => `c${n}=1`).join("; ") }],
    ["a cookie of 8 kB", { cookie: `__Host-keelson_access=${"a".repeat(8_000)}` }],
    ["an Authorization of 8 kB", { authorization: `Bearer ${"a".repeat(8_000)}` }],
    ["cookies without a value", { cookie: ";;;=;=;__Host-keelson_access" }],
    ["two session cookies", { cookie: "__Host-keelson_access=a.b.c; __Host-keelson_access=d.e.f" }],
    ["a cookie that cannot be decoded", { cookie: "__Host-keelson_access=%E0%A4%A" }],
  ])("%s: 401, and the server goes on", async (_, headers) => {
    expect((await request(running.url, "/v1/me", { headers })).status).toBe(401);
    expect((await request(running.url, "/healthz")).status).toBe(200);
  });

  test("more header than fits: refused by the server, which goes on", async () => {
    const status = await request(running.url, "/v1/me", { headers: { "x-much": "a".repeat(200_000) } }).then(
      (answer) => answer.status,
      () => 431,
    );
    expect(status).toBe(431);
    expect((await request(running.url, "/healthz")).status).toBe(200);
  });
});
