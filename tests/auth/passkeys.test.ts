import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Secret, TOTP } from "otpauth";
import type { Browser } from "playwright-core";
import postgres from "postgres";
import { launchChromium } from "../chromium.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { type Authenticator, openAuthenticator } from "./authenticator.ts";
import { mailTo } from "./mailbox.ts";

const browser: Browser | undefined = await launchChromium();
const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(async () => {
  await database.end();
  await browser?.close();
});

const base = "/v1/auth/passkeys";
const post = (path: string, body?: unknown, token?: string) =>
  request(running.url, path, { method: "POST", body, ...(token ? { token } : {}) });
const remove = (id: string, { token }: { readonly token: string }) => request(running.url, `${base}/${id}`, { method: "DELETE", token });
const actsOf = async (userId: string): Promise<string[]> =>
  (await database`select action from audit_log where subject = ${userId} order by at, id`).map(({ action }) => action);

async function withAuthenticator(use: (authenticator: Authenticator) => Promise<void>, kind?: "touch_only"): Promise<void> {
  if (!browser) throw new Error("runs only with a browser");
  const authenticator = await openAuthenticator(browser, running.url.replace("127.0.0.1", "localhost"), kind);
  try {
    await use(authenticator);
  } finally {
    await authenticator.close();
  }
}

async function begin({ token }: { readonly token: string }): Promise<Answer["body"]> {
  const answer = await post(`${base}/register/options`, undefined, token);
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return answer.body;
}

async function register(user: SignedInUser, authenticator: Authenticator, name?: string): Promise<Answer["body"]> {
  const { options, challengeToken } = await begin(user);
  const response = await authenticator.create(options);
  const answer = await post(`${base}/register/verify`, { challengeToken, response, ...(name ? { name } : {}) }, user.token);
  expect(answer).toMatchObject({ status: 201 });
  return answer.body.passkey;
}

async function show(authenticator: Authenticator): Promise<{ challengeToken: string; response: Answer["body"] }> {
  const { options, challengeToken } = (await post(`${base}/authenticate/options`)).body;
  expect(options.allowCredentials ?? []).toEqual([]);
  return { challengeToken, response: await authenticator.get(options) };
}

const verify = (body: unknown) => post(`${base}/authenticate/verify`, body);

describe.skipIf(!browser)("with a browser", () => {
  test("a passkey logs in without a password; it is listed, audited, and the user gets a mail", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      const passkey = await register(user, authenticator, "Work laptop");
      expect(passkey).toMatchObject({ id: expect.stringMatching(/^pky_/), name: "Work laptop", lastUsedAt: null, backedUp: false });
      const answer = await verify(await show(authenticator));
      expect([answer.status, answer.headers.get("cache-control"), answer.body.user.id]).toEqual([200, "no-store", user.id]);
      const list = await request(running.url, base, { token: answer.body.accessToken });
      expect(list.body).toMatchObject({ data: [{ id: passkey.id, lastUsedAt: expect.any(String) }], nextCursor: null });
      expect(await actsOf(user.id)).toContain("user.passkey_added");
      const mail = await mailTo(running.url, user.email, "A passkey was added");
      expect(mail.text).toContain("Work laptop");
      const [row] =
        await database`select data from audit_log where subject = ${user.id} and action = 'user.logged_in' order by at desc, id desc`;
      expect(row?.data.methods).toEqual(["hwk"]);
    }));

  test("it is two factors: an account with an authenticator app is asked for no code", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      const { secret } = (await post("/v1/auth/mfa/totp", undefined, user.token)).body;
      const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
      expect((await post("/v1/auth/mfa/totp/verify", { code }, user.token)).status).toBe(200);
      expectProblem(await post("/v1/auth/login", { email: user.email, password: user.password }), "mfa_required");
      await register(user, authenticator);
      expect((await verify(await show(authenticator))).status).toBe(200);
    }));

  test("so a key that notices only a touch is not registered", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      const { options, challengeToken } = await begin(user);
      const lax = { ...options, authenticatorSelection: { residentKey: "discouraged", userVerification: "discouraged" } };
      const body = { challengeToken, response: await authenticator.create(lax) };
      expect(pointersOf(await post(`${base}/register/verify`, body, user.token))).toEqual(["/response"]);
    }, "touch_only"));

  test("and one whose user was not verified does not log in", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      await register(user, authenticator);
      await authenticator.setUserVerified(false);
      const { options, challengeToken } = (await post(`${base}/authenticate/options`)).body;
      const response = await authenticator.get({ ...options, userVerification: "discouraged" });
      expectProblem(await verify({ challengeToken, response }), "invalid_credentials");
      expect(await actsOf(user.id)).toContain("security.login_failed");
    }));

  test("a challenge is good for one try, also when many come at once", () =>
    withAuthenticator(async (authenticator) => {
      await register(await signUp(running.url), authenticator);
      const shown = await show(authenticator);
      const answers = await Promise.all(Array.from({ length: 8 }, () => verify(shown)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 401)]);
      expectProblem(await verify(shown), "invalid_credentials");
    }));

  test("a response fits its own challenge only, one tried in vain does not come back, and one too old is refused", () =>
    withAuthenticator(async (authenticator) => {
      await register(await signUp(running.url), authenticator);
      const [first, second] = [await show(authenticator), await show(authenticator)];
      expectProblem(await verify({ challengeToken: second.challengeToken, response: first.response }), "invalid_credentials");
      expectProblem(await verify(second), "invalid_credentials");
      await database`update one_time_tokens set expires_at = now() - interval '1 second' where used_at is null and purpose = 'passkey_authenticate'`;
      expectProblem(await verify(first), "invalid_credentials");
      expect((await verify(await show(authenticator))).status).toBe(200);
    }));

  test("a challenge to register is for its user, and not for a log-in", () =>
    withAuthenticator(async (authenticator) => {
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      const begun = await begin(ada);
      const response = await authenticator.create(begun.options);
      const body = { challengeToken: begun.challengeToken, response };
      expect(pointersOf(await post(`${base}/register/verify`, body, eve.token))).toEqual(["/challengeToken"]);
      await register(eve, authenticator);
      const mixed = { ...(await show(authenticator)), challengeToken: (await begin(eve)).challengeToken };
      expectProblem(await verify(mixed), "invalid_credentials");
    }));

  test("a signature that was changed, another's name in it, an unknown credential: refused alike", () =>
    withAuthenticator(async (authenticator) => {
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      await register(ada, authenticator);
      const changes: readonly ((response: Answer["body"]) => unknown)[] = [
        (response) => ({ ...response, response: { ...response.response, userHandle: Buffer.from(eve.id).toString("base64url") } }),
        (response) => ({ ...response, response: { ...response.response, userHandle: undefined } }),
        (response) => ({ ...response, response: { ...response.response, signature: "AAAA" } }),
        (response) => ({ ...response, response: { ...response.response, clientDataJSON: "AAAA" } }),
        (response) => ({ ...response, id: "AAAA", rawId: "AAAA" }),
      ];
      const answers: Answer[] = [];
      for (const change of changes) {
        const { challengeToken, response } = await show(authenticator);
        answers.push(await verify({ challengeToken, response: change(response) }));
      }
      for (const answer of answers) expectProblem(answer, "invalid_credentials");
      expect(new Set(answers.map(({ body }) => body.detail)).size).toBe(1);
    }));

  test("a page of elsewhere is refused", () =>
    withAuthenticator(async (authenticator) => {
      await register(await signUp(running.url), authenticator);
      const { challengeToken, response } = await show(authenticator);
      const said = JSON.parse(Buffer.from(response.response.clientDataJSON, "base64url").toString());
      expect(said.origin).toStartWith("http://localhost:");
      const clientDataJSON = Buffer.from(JSON.stringify({ ...said, origin: "http://localhost.example.com" })).toString("base64url");
      expectProblem(
        await verify({ challengeToken, response: { ...response, response: { ...response.response, clientDataJSON } } }),
        "invalid_credentials",
      );
    }));

  test("a counter that goes back: refused and audited", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      const { id } = await register(user, authenticator);
      expect((await verify(await show(authenticator))).status).toBe(200);
      await database`update passkeys set counter = counter + 100 where id = ${id}`;
      expectProblem(await verify(await show(authenticator)), "invalid_credentials");
      expect(await actsOf(user.id)).toContain("security.passkey_cloned");
      await database`update passkeys set counter = counter - 100 where id = ${id}`;
      expect((await verify(await show(authenticator))).status).toBe(200);
    }));

  test("a disabled account stays closed", () =>
    withAuthenticator(async (authenticator) => {
      const user = await signUp(running.url);
      await register(user, authenticator);
      await database`update users set disabled_at = now() where id = ${user.id}`;
      expectProblem(await verify(await show(authenticator)), "account_disabled");
    }));

  test("another's is not there; one's own goes, and opens nothing any more", () =>
    withAuthenticator(async (authenticator) => {
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      const { id } = await register(ada, authenticator);
      expectProblem(await remove(id, eve), "not_found");
      expect((await request(running.url, base, { token: eve.token })).body.data).toEqual([]);
      expect((await remove(id, ada)).status).toBe(204);
      expectProblem(await remove(id, ada), "not_found");
      expectProblem(await verify(await show(authenticator)), "invalid_credentials");
      expect(await actsOf(ada.id)).toContain("user.passkey_removed");
      await mailTo(running.url, ada.email, "A passkey was removed");
    }));

  test("the only way in stays, also when the last two go at once", () =>
    withAuthenticator(async (first) =>
      withAuthenticator(async (second) => {
        const user = await signUp(running.url);
        const ids = [(await register(user, first)).id, (await register(user, second)).id];
        await database`update users set password_hash = null where id = ${user.id}`;
        const answers = await Promise.all(ids.map((id) => remove(id, user)));
        expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
        const [left] = (await request(running.url, base, { token: user.token })).body.data;
        expectProblem(await remove(left.id, user), "only_way_in");
        await database`insert into identities (provider, subject, user_id) values ('github', ${user.id}, ${user.id})`;
        expect((await remove(left.id, user)).status).toBe(204);
      }),
    ));
});

describe("without a browser", () => {
  test("to change anything takes a log-in that is not old", async () => {
    const user = await signUp(running.url);
    await database`update session_users set authenticated_at = now() - interval '16 minutes' where user_id = ${user.id}`;
    expectProblem(await post(`${base}/register/options`, undefined, user.token), "reauthentication_required");
    expectProblem(await remove("pky_none", user), "reauthentication_required");
  });

  test.each([
    ["POST", "/register/options"],
    ["POST", "/register/verify"],
    ["GET", ""],
    ["DELETE", "/pky_none"],
  ])("%s %s is for those who are logged in", async (method, path) => {
    expectProblem(await request(running.url, `${base}${path}`, { method }), "unauthenticated");
  });

  const client = { clientDataJSON: "e30" };
  const credential = { id: "AAAA", rawId: "AAAA", type: "public-key" };
  const made = { ...credential, response: { ...client, attestationObject: "oA" } };
  const got = { ...credential, response: { ...client, authenticatorData: "AAAA", signature: "AAAA" } };
  const challengeToken = "x".repeat(43);
  test.each<readonly [string, unknown, readonly string[]]>([
    ["register", {}, ["/challengeToken", "/response"]],
    ["register", { challengeToken, response: made, admin: true }, ["/admin"]],
    ["register", { challengeToken, response: made, name: "" }, ["/name"]],
    ["register", { challengeToken, response: made, name: "x".repeat(101) }, ["/name"]],
    ["register", { challengeToken, response: { ...made, type: "password" } }, ["/response/type"]],
    ["register", { challengeToken, response: { ...made, id: "a+b/" } }, ["/response/id"]],
    ["register", { challengeToken, response: { ...made, response: client } }, ["/response/response/attestationObject"]],
    ["register", { challengeToken, response: made }, ["/challengeToken"]],
    ["authenticate", {}, ["/challengeToken", "/response"]],
    ["authenticate", { challengeToken: "", response: got }, ["/challengeToken"]],
    ["authenticate", { challengeToken, response: got, totp: "123456" }, ["/totp"]],
    ["authenticate", { challengeToken, response: { ...got, rawId: 1 } }, ["/response/rawId"]],
    [
      "authenticate",
      { challengeToken, response: { ...got, response: client } },
      ["/response/response/authenticatorData", "/response/response/signature"],
    ],
  ])("%s with %j: 400", async (ceremony, body, pointers) => {
    const { token } = await signUp(running.url);
    expect(pointersOf(await post(`${base}/${ceremony}/verify`, body, token))).toEqual([...pointers]);
  });

  test("an unknown challenge: 401, and nothing about it", async () => {
    expectProblem(await verify({ challengeToken, response: got }), "invalid_credentials");
  });
});
