import { afterEach, describe, expect, test } from "bun:test";
import { generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from "jose";
import { type Answer, request } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { oauthCopy, publicUrl } from "./oauth-copy.ts";

const running = oauthCopy();
let people = 0;
/** Somebody whom nobody knows yet; with them, what the provider says of them. */
function somebody() {
  people += 1;
  const person = `person-${people}`;
  const claims = { email: `${person}@acme.example`, email_verified: true, name: `Person ${people}` };
  running.provider.people.set(person, claims);
  return { person, claims };
}
const exchange = (body: unknown): Promise<Answer> => request(running.url, "/v1/auth/oauth/exchange", { body });
const fragmentOf = (location: string | undefined) => new URLSearchParams(new URL(location ?? "").hash.slice(1));
const failures = async (): Promise<string[]> =>
  (await running.sql`select data->>'reason' as reason from audit_log where action = 'security.login_failed' order by id`).map(
    ({ reason }) => reason,
  );

describe("GET /v1/auth/oauth/:provider", () => {
  test("302 to the provider with PKCE, state and nonce, all of them new each time", async () => {
    const seen = new Set<string | null>();
    for (let n = 0; n < 3; n += 1) {
      const { status, location, headers } = await running.browser().visit("/v1/auth/oauth/acme");
      const { origin, searchParams: given } = new URL(location ?? "");
      expect([status, origin]).toEqual([302, running.provider.issuer]);
      expect([given.get("response_type"), given.get("code_challenge_method"), given.get("scope")]).toEqual([
        "code",
        "S256",
        "openid email profile",
      ]);
      expect(given.get("redirect_uri")).toBe(`${publicUrl}/v1/auth/oauth/acme/callback`);
      for (const name of ["state", "nonce", "code_challenge"]) {
        expect(given.get(name)).toMatch(/^[\w-]{43}$/);
        seen.add(given.get(name));
      }
      expect(headers.get("cache-control")).toBe("no-store");
    }
    expect(seen.size).toBe(9);
  });

  test("the cookie is for this host only, out of reach of scripts, and goes in ten minutes", async () => {
    const { headers } = await running.browser().visit("/v1/auth/oauth/acme");
    const [cookie, ...others] = headers.getSetCookie();
    expect(others).toEqual([]);
    const [pair = "", ...attributes] = (cookie ?? "").split("; ");
    expect(pair).toMatch(/^__Host-keelson-oauth-[\w-]{12}=[\w-]{43}$/);
    expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"]);
  });

  test("neither state nor the browser's secret is stored, only digests", async () => {
    const browser = running.browser();
    const { location } = await browser.visit("/v1/auth/oauth/acme");
    const stored = JSON.stringify(await running.sql`select * from one_time_tokens where purpose = 'oauth_flow'`);
    for (const secret of [new URL(location ?? "").searchParams.get("state"), ...browser.cookies().values()])
      expect(stored).not.toContain(secret ?? "?");
  });

  test.each(["nobody", "Acme", "acme%00", "__proto__", "constructor"])("the provider %s is unknown: 404", async (name) => {
    expectProblem(await request(running.url, `/v1/auth/oauth/${name}`), "not_found");
    expectProblem(await request(running.url, `/v1/auth/oauth/${name}/callback?state=x&code=x`), "not_found");
  });

  test.each([
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "https://app.example.com.evil.example/",
    "https://app.example.com@evil.example/",
    "https://keelson.example/",
    "http://app.example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/x\nLocation: https://evil.example",
    "/ünicode",
    "/x#code=stolen",
    "",
  ])("returnTo=%j: 400, and no flow begins", async (returnTo) => {
    const answer = await request(running.url, `/v1/auth/oauth/acme?${new URLSearchParams({ returnTo })}`);
    expect(pointersOf(answer)).toEqual(["query.returnTo"]);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test("two returnTo: 400", async () => {
    expect(pointersOf(await request(running.url, "/v1/auth/oauth/acme?returnTo=/a&returnTo=//evil.example"))).toEqual(["query.returnTo"]);
  });
});

describe("logging in", () => {
  test("somebody new: 200 with an account, a session and tokens that work; the second time it is the same account", async () => {
    const { person, claims } = somebody();
    const first = await running.logIn(person, claims);
    expect(first.status).toBe(200);
    expect(first.body.user).toMatchObject({ email: claims.email, emailVerified: true, name: claims.name, role: "user" });
    expect((await request(running.url, "/v1/me", { token: first.body.accessToken })).body.user).toEqual(first.body.user);
    expect([first.headers.get("cache-control"), first.headers.get("referrer-policy")]).toEqual(["no-store", "no-referrer"]);
    const again = await running.logIn(person, { ...claims, email: "moved@acme.example", email_verified: false });
    expect([again.status, again.body.user]).toEqual([200, first.body.user]);
    expect(again.body.session.id).not.toBe(first.body.session.id);
  });

  test("what happened is in the audit log, without a code or a token", async () => {
    const { person, claims } = somebody();
    const { body } = await running.logIn(person, claims);
    const rows = await running.sql`select action, data from audit_log where subject = ${body.user.id} order by id`;
    expect(rows.map(({ action }) => action)).toEqual(["user.signed_up", "identity.linked", "user.logged_in"]);
    expect(rows.map(({ data }) => data)).toMatchObject([{ role: "user" }, { provider: "acme", how: "signed_up" }, { methods: ["fed"] }]);
  });

  test.each(["/welcome?tab=1", "https://app.example.com/signed-in?x=%2F%2Fy", "http://localhost:5173/"])(
    "with returnTo=%s: back there with a code in the fragment, which opens the session",
    async (returnTo) => {
      const { person, claims } = somebody();
      const browser = running.browser();
      const back = await browser.visit(await running.reachCallback(browser, person, returnTo));
      expect([back.status, back.location?.split("#")[0], back.body]).toEqual([302, new URL(returnTo, publicUrl).href, ""]);
      expect([back.headers.get("cache-control"), back.headers.get("referrer-policy")]).toEqual(["no-store", "no-referrer"]);
      const code = fragmentOf(back.location).get("code") ?? "";
      expect(code).toMatch(/^[\w-]{43}$/);
      expect(JSON.stringify(await running.sql`select * from one_time_tokens`)).not.toContain(code);
      const opened = await exchange({ code });
      expect([opened.status, opened.body.user.email]).toEqual([200, claims.email]);
      expectProblem(await exchange({ code }), "invalid_oauth_code");
    },
  );

  test("cancelled at the provider: oauth_failed, and with returnTo the browser is told in the fragment", async () => {
    const browser = running.browser();
    const plain = await browser.visit(await running.reachCallback(browser, undefined));
    expectProblem(plain, "oauth_failed");
    expect(plain.body.detail).toBe("acme answered: access_denied.");
    const back = await browser.visit(await running.reachCallback(browser, undefined, "/welcome"));
    expect([back.status, back.location]).toEqual([302, `${publicUrl}/welcome#error=oauth_failed`]);
  });

  test("two flows in one browser do not disturb each other", async () => {
    const { person } = somebody();
    const browser = running.browser();
    const begun = [await browser.visit("/v1/auth/oauth/acme"), await browser.visit("/v1/auth/oauth/acme")];
    for (const { location } of begun) expect((await browser.visit(await browser.logInAt(location ?? "", person))).status).toBe(200);
  });
});

describe("a callback that is not as the flow began", () => {
  const change = (callback: string, edit: (query: URLSearchParams) => void) => {
    const url = new URL(callback);
    edit(url.searchParams);
    return url.href;
  };

  test("without the cookie, and with another browser's: 400, it is reported, and the right browser can still finish", async () => {
    const { person } = somebody();
    const [browser, thief] = [running.browser(), running.browser()];
    const callback = await running.reachCallback(browser, person);
    expectProblem(await thief.visit(callback), "invalid_oauth_flow");
    await running.reachCallback(thief, person);
    expectProblem(await thief.visit(callback), "invalid_oauth_flow");
    const [name = ""] = browser.cookies().keys();
    const [secret = ""] = thief.cookies().values();
    const forged = await request(running.url, callback.replace(publicUrl, ""), { headers: { cookie: `${name}=${secret}` } });
    expectProblem(forged, "invalid_oauth_flow");
    expect((await failures()).slice(-3)).toEqual(Array(3).fill("acme: It was not begun in this browser."));
    expect((await browser.visit(callback)).status).toBe(200);
  });

  test("replayed: 400, one after the other and at once", async () => {
    const { person } = somebody();
    const browser = running.browser();
    const callback = await running.reachCallback(browser, person);
    const answers = await Promise.all(Array.from({ length: 5 }, () => browser.visit(callback)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400]);
    expectProblem(await browser.visit(callback), "invalid_oauth_flow");
  });

  test("at another provider's callback, and after its time: 400", async () => {
    const { person } = somebody();
    const browser = running.browser();
    const callback = await running.reachCallback(browser, person);
    expectProblem(await browser.visit(callback.replace("/acme/", "/twin/")), "invalid_oauth_flow");
    await running.sql`update one_time_tokens set expires_at = now() - interval '1 second' where purpose = 'oauth_flow'`;
    expectProblem(await browser.visit(callback), "invalid_oauth_flow");
  });

  test.each<readonly [string, (query: URLSearchParams) => void]>([
    ["state of nobody", (query) => query.set("state", "A".repeat(43))],
    ["state in other letters", (query) => query.set("state", (query.get("state") ?? "").toLowerCase())],
    ["state cut", (query) => query.set("state", (query.get("state") ?? "").slice(0, -1))],
    ["empty state", (query) => query.set("state", "")],
  ])("%s: 400", async (_, edit) => {
    const { person } = somebody();
    const browser = running.browser();
    expectProblem(await browser.visit(change(await running.reachCallback(browser, person), edit)), "invalid_oauth_flow");
  });

  test.each<readonly [string, string, (query: URLSearchParams) => void]>([
    ["no state", "query.state", (query) => query.delete("state")],
    ["two states", "query.state", (query) => query.append("state", "x")],
    ["two codes", "query.code", (query) => query.append("code", "x")],
  ])("%s: 400 at %s", async (_, pointer, edit) => {
    const { person } = somebody();
    const browser = running.browser();
    expect(pointersOf(await browser.visit(change(await running.reachCallback(browser, person), edit)))).toEqual([pointer]);
  });

  test.each<readonly [string, (query: URLSearchParams) => void]>([
    ["code of nobody", (query) => query.set("code", "x".repeat(43))],
    ["no code", (query) => query.delete("code")],
    ["issuer of another (RFC 9207)", (query) => query.set("iss", "https://evil.example")],
    ["no issuer, which this provider always names", (query) => query.delete("iss")],
    ["an id token in the query", (query) => query.set("id_token", "x.y.z")],
    ["a response object in the query", (query) => query.set("response", "x.y.z")],
  ])("%s: oauth_failed", async (_, edit) => {
    const { person } = somebody();
    const browser = running.browser();
    expectProblem(await browser.visit(change(await running.reachCallback(browser, person), edit)), "oauth_failed");
  });

  test("a code from another flow, as its PKCE challenge was another's: oauth_failed, and nobody is logged in", async () => {
    const [victim, thief] = [running.browser(), running.browser()];
    const stolen = new URL(await running.reachCallback(victim, somebody().person)).searchParams.get("code") ?? "";
    const own = await running.reachCallback(thief, somebody().person);
    const injected = await thief.visit(change(own, (query) => query.set("code", stolen)));
    expectProblem(injected, "oauth_failed");
    expect(injected.body.detail).toBe("acme answered: invalid_grant.");
    expect((await failures()).at(-1)).toContain("invalid_grant");
  });

  test.each(["code_challenge", "nonce"])("an authorization request whose %s was changed on the way: oauth_failed", async (name) => {
    const browser = running.browser();
    const { location } = await browser.visit("/v1/auth/oauth/acme");
    const callback = await browser.logInAt(
      change(location ?? "", (query) => query.set(name, "A".repeat(43))),
      somebody().person,
    );
    expectProblem(await browser.visit(callback), "oauth_failed");
  });

  test("an authorization request without PKCE is refused by the provider, so the tests above test something", async () => {
    const browser = running.browser();
    const { location } = await browser.visit("/v1/auth/oauth/acme");
    const bare = change(location ?? "", (query) => {
      query.delete("code_challenge");
      query.delete("code_challenge_method");
    });
    const callback = new URL(await browser.logInAt(bare, somebody().person));
    expect(callback.searchParams.get("error")).toBe("invalid_request");
  });
});

describe("an id token that does not hold", () => {
  afterEach(() => {
    running.provider.tamper = undefined;
  });
  const claimsOf = (body: Record<string, unknown>) =>
    JSON.parse(Buffer.from(String(body.id_token).split(".")[1] ?? "", "base64url").toString());
  const sign = async (claims: Record<string, unknown>) =>
    new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "test" }).sign(await importJWK(running.provider.privateJwk, "RS256"));
  const with_ = (changed: Record<string, unknown>) => async (body: Record<string, unknown>) => {
    body.id_token = await sign({ ...claimsOf(body), ...changed });
  };
  const long = Math.floor(Date.now() / 1_000) - 3_600;

  test("signed anew by the test with nothing changed it holds, so that each refusal below has its own reason", async () => {
    running.provider.tamper = with_({});
    const { person, claims } = somebody();
    expect((await running.logIn(person, claims)).status).toBe(200);
  });

  test.each<readonly [string, (body: Record<string, unknown>) => Promise<void> | void]>([
    ["another nonce", with_({ nonce: "A".repeat(43) })],
    ["no nonce", with_({ nonce: undefined })],
    ["for another client", with_({ aud: "somebody-else" })],
    ["for several clients without azp", with_({ aud: ["keelson", "somebody-else"] })],
    ["of another issuer", with_({ iss: "https://evil.example" })],
    ["expired", with_({ iat: long, exp: long + 60 })],
    ["no expiry", with_({ exp: undefined })],
    ["no subject", with_({ sub: undefined })],
    [
      "not signed (alg none)",
      (body) => {
        body.id_token = new UnsecuredJWT(claimsOf(body)).encode();
      },
    ],
    [
      "signed with another key under the same kid",
      async (body) => {
        const { privateKey } = await generateKeyPair("RS256");
        body.id_token = await new SignJWT(claimsOf(body)).setProtectedHeader({ alg: "RS256", kid: "test" }).sign(privateKey);
      },
    ],
    [
      "signed by HMAC with the client secret",
      async (body) => {
        const key = new TextEncoder().encode(running.provider.clientSecret);
        body.id_token = await new SignJWT(claimsOf(body)).setProtectedHeader({ alg: "HS256" }).sign(key);
      },
    ],
    [
      "another person written into it",
      (body) => {
        const [head, , signature] = String(body.id_token).split(".");
        const claims = Buffer.from(JSON.stringify({ ...claimsOf(body), sub: "admin" })).toString("base64url");
        body.id_token = [head, claims, signature].join(".");
      },
    ],
    [
      "not there",
      (body) => {
        delete body.id_token;
      },
    ],
  ])("%s: oauth_failed", async (_, tamper) => {
    const { person, claims } = somebody();
    running.provider.tamper = tamper;
    expectProblem(await running.logIn(person, claims), "oauth_failed");
    expect(await running.sql`select 1 from users where email = ${claims.email}`).toHaveLength(0);
  });
});

describe("POST /v1/auth/oauth/exchange", () => {
  const freshCode = async () => {
    const browser = running.browser();
    return fragmentOf((await browser.visit(await running.reachCallback(browser, somebody().person, "/"))).location).get("code") ?? "";
  };

  test("of many at once exactly one opens a session", async () => {
    const code = await freshCode();
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange({ code })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400, 400, 400, 400]);
  });

  describe("of a log-in that began with a code challenge", () => {
    const codeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    test("takes the code from whoever has the verifier, and from nobody else", async () => {
      const browser = running.browser();
      const { location } = await browser.visit(`/v1/auth/oauth/acme?${new URLSearchParams({ returnTo: "/", codeChallenge })}`);
      const back = await browser.visit(await browser.logInAt(location ?? "", somebody().person));
      const code = fragmentOf(back.location).get("code") ?? "";
      for (const wrong of [{}, { codeVerifier: codeChallenge }, { codeVerifier: codeVerifier.toLowerCase() }])
        expectProblem(await exchange({ code, ...wrong }), "invalid_oauth_code");
      expect((await exchange({ code, codeVerifier })).status).toBe(200);
    });

    test("a page that sends its verifier can't be given the code of a log-in that it did not begin", async () => {
      expectProblem(await exchange({ code: await freshCode(), codeVerifier }), "invalid_oauth_code");
    });

    test.each(["", "short", `${"A".repeat(42)}=`, "A".repeat(44)])("the challenge %j: 400", async (given) => {
      const answer = await request(running.url, `/v1/auth/oauth/acme?${new URLSearchParams({ returnTo: "/", codeChallenge: given })}`);
      expect(pointersOf(answer)).toEqual(["query.codeChallenge"]);
    });

    test("a challenge without returnTo: 400", async () => {
      expect(pointersOf(await request(running.url, `/v1/auth/oauth/acme?codeChallenge=${codeChallenge}`))).toEqual(["query.codeChallenge"]);
    });
  });

  test("for a client that asks for cookies the tokens are in cookies and not in the body", async () => {
    const headers = { "x-session-transport": "cookie" };
    const opened = await request(running.url, "/v1/auth/oauth/exchange", { body: { code: await freshCode() }, headers });
    expect([opened.status, opened.body.accessToken, opened.body.refreshToken]).toEqual([200, undefined, undefined]);
    const names = opened.headers.getSetCookie().map((cookie) => cookie.split("=")[0]);
    expect(names).toEqual(["__Host-keelson_access", "__Host-keelson_refresh"]);
  });

  test("after its 60 seconds: invalid_oauth_code", async () => {
    const code = await freshCode();
    const [row] =
      await running.sql`select extract(epoch from expires_at - created_at) as seconds from one_time_tokens order by created_at desc limit 1`;
    expect(Number(row?.seconds)).toBe(60);
    await running.sql`update one_time_tokens set expires_at = now() where purpose = 'oauth_sign_in'`;
    expectProblem(await exchange({ code }), "invalid_oauth_code");
  });

  test("the state of a flow is no code", async () => {
    const { location } = await running.browser().visit("/v1/auth/oauth/acme");
    expectProblem(await exchange({ code: new URL(location ?? "").searchParams.get("state") }), "invalid_oauth_code");
  });

  test.each<readonly [unknown, readonly string[]]>([
    [{}, ["/code"]],
    [{ code: 1 }, ["/code"]],
    [{ code: "x".repeat(129) }, ["/code"]],
    [{ code: "x", userId: "usr_1" }, ["/userId"]],
    [{ code: "x", totp: "1".repeat(33) }, ["/totp"]],
    [{ code: "x", codeVerifier: "short" }, ["/codeVerifier"]],
  ])("%j: 400", async (body, pointers) => {
    expect(pointersOf(await exchange(body))).toEqual([...pointers]);
  });
});

test("log-ins and exchanges count as tries of credentials: 429 beyond the limit", async () => {
  await using limited = await startTestCopy("postgres", { KEELSON_LOGIN_LIMIT_PER_MINUTE: "2" });
  for (const expected of ["invalid_oauth_code", "invalid_oauth_code", "rate_limited"] as const)
    expectProblem(await request(limited.url, "/v1/auth/oauth/exchange", { body: { code: "x" } }), expected);
  expectProblem(await request(limited.url, "/v1/auth/oauth/acme/callback?state=x"), "rate_limited");
  expectProblem(await request(limited.url, "/v1/auth/oauth/acme"), "rate_limited");
});
