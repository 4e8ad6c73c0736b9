import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { answerProblem } from "../../app/http/problem.ts";
import { systemNow } from "../../app/platform/clock.ts";
import { Problem } from "../../app/platform/errors.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createSeal } from "../../app/platform/seal.ts";
import { createLogIn, type SecondFactor } from "../../app/services/auth/log-in.ts";
import { createTransactLogIn, createTries, TryDue } from "../../app/services/auth/mfa/tries.ts";
import { openOauth } from "../../app/services/auth/oauth/open.ts";
import type { OauthService } from "../../app/services/auth/oauth/service.ts";
import { createOneTimeTokens } from "../../app/services/auth/one-time-tokens.ts";
import { createPasswordStore } from "../../app/services/auth/passwords/store.ts";
import { createAuthority } from "../../app/services/auth/sessions/authority.ts";
import { createKeptAnswers } from "../../app/services/auth/sessions/kept-answers.ts";
import { createSessionService } from "../../app/services/auth/sessions/service.ts";
import { createSessionTokens } from "../../app/services/auth/sessions/session-tokens.ts";
import { createSessionStore } from "../../app/services/auth/sessions/store.ts";
import { createAuthStore } from "../../app/services/auth/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { testPostgres } from "../services.ts";
import { createBrowser } from "./browser.ts";
import { type IdentityProvider, startIdentityProvider } from "./identity-provider.ts";

const publicUrl = "https://keelson.example";
const rightCode = "123456";
const sessionsMax = 3;
const origin = { requestId: "req_test", ip: "127.0.0.1", userAgent: "test" };
let provider: IdentityProvider;
let database: DatabaseClient;
let oauth: OauthService;
let users = 0;

/** How many codes were compared, by account. */
const compared = new Map<string, number>();

/** Every account has a second factor, whose code works as often as one likes. */
const secondFactor: SecondFactor = async ({ countedTryOf }, { userId, code, origin }) => {
  if (code === undefined) throw new Problem("mfa_required");
  if (countedTryOf !== userId) throw new TryDue(userId, origin);
  compared.set(userId, (compared.get(userId) ?? 0) + 1);
  if (code !== rightCode) throw new Problem("invalid_credentials");
  return "otp";
};

beforeAll(async () => {
  provider = await startIdentityProvider({ redirectUris: [`${publicUrl}/v1/auth/oauth/acme/callback`] });
  database = openDatabase({ url: await testPostgres(), connectionsMax: 8, applicationName: "test" });
  const { db } = database;
  const now = systemNow;
  const transact = createTransact({ db, now, wake: () => undefined });
  const sessions = createSessionStore(db);
  const users = createAuthStore(db);
  const sendMail = async () => undefined;
  const tokens = createSessionTokens({
    store: sessions,
    accessTokens: { sign: async ({ sessionId }) => ({ token: `access to ${sessionId}`, expiresInSeconds: 900 }) },
    keptAnswers: createKeptAnswers(createSeal(randomBytes(32))),
    refreshSeconds: 3_600,
    now,
  });
  const authority = createAuthority({ store: sessions, revocations: { learn: () => undefined } });
  const logIn = createLogIn({
    store: sessions,
    authority,
    sessions: createSessionService({ store: sessions, authority, transact, tokens, now }),
    tokens,
    secondFactor,
    sendMail,
    sessionsMax,
    bindNetwork: false,
    requireVerifiedEmail: false,
    now,
  });
  const { issuer, clientId, clientSecret } = provider;
  const acme = {
    kind: "openid",
    name: "acme",
    issuer,
    clientId,
    clientSecret,
    scopes: ["openid", "email"],
    clientAuth: undefined,
    vouchingClaim: "email_verified",
  } as const;
  oauth = openOauth({
    db,
    users,
    sessions,
    assertRecentLogIn: async () => undefined,
    oneTimeTokens: createOneTimeTokens({ store: users, now }),
    transact: createTransactLogIn({ transact, tries: createTries({ store: createPasswordStore(db), sightings: async () => [], now }) }),
    logIn,
    sendMail,
    settings: { signup: "open", oauth: { publicUrl, providers: [acme], returnOrigins: [] } },
    now,
  });
});
afterAll(async () => {
  await database.close();
  await provider[Symbol.asyncDispose]();
});

async function newPerson(): Promise<string> {
  users += 1;
  const [id, email] = [`usr_${users}`, `mfa-${users}@acme.example`];
  await database.sql`insert into users (id, email, email_verified_at) values (${id}, ${email}, now())`;
  provider.people.set(id, { email, email_verified: true });
  return id;
}

/** A person whose account here has a second factor and a verified address, back from the provider. */
async function comeBack(returnTo?: string, known?: string) {
  const id = known ?? (await newPerson());
  const { url, cookie } = await oauth.begin("acme", { returnTo });
  const { searchParams } = new URL(await createBrowser({ publicUrl, url: publicUrl }).logInAt(url, id));
  const callback = {
    provider: "acme",
    state: searchParams.get("state") ?? "",
    answer: searchParams,
    cookie: (name: string) => (name === cookie.name ? cookie.value : undefined),
  };
  return { id, outcome: oauth.callback(callback, origin) };
}

/** What the browser returns to the page with. */
async function codeIn(outcome: Promise<unknown>): Promise<string> {
  const { location } = (await outcome) as { readonly location: string };
  return new URLSearchParams(new URL(location).hash.slice(1)).get("code") ?? "";
}

let networks = 0;
const networkOfItsOwn = () => `198.51.${++networks}.1`;

/** What `work` threw. */
async function refusalOf(work: Promise<unknown>): Promise<Problem> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

const linked = async (id: string) => (await database.sql`select 1 from identities where user_id = ${id}`).length;
const sessionsOf = async (id: string) =>
  (await database.sql`select methods from session_users where user_id = ${id}`).map(({ methods }) => methods);

describe.each(["JSON", "returnTo"])("an account with a second factor, %s", (mode) => {
  /** The code that opens the session together with a second factor. */
  const codeOf = async (outcome: Promise<unknown>): Promise<string> => {
    if (mode === "returnTo") {
      const code = await codeIn(outcome);
      const asked = await refusalOf(oauth.exchange({ code }, origin));
      expect([asked.code, asked.init.members]).toEqual(["mfa_required", { exchangeCode: code }]);
      return code;
    }
    const { code, init } = await refusalOf(outcome);
    expect(code).toBe("mfa_required");
    return init.members?.exchangeCode ?? "";
  };
  const back = () => comeBack(mode === "returnTo" ? "/welcome" : undefined);

  test("no session and no link come to be before the second factor; then both do, and the methods say so", async () => {
    const { id, outcome } = await back();
    const code = await codeOf(outcome);
    expect([await linked(id), await sessionsOf(id)]).toEqual([0, []]);
    const signedIn = await oauth.exchange({ code, totp: rightCode }, origin);
    expect([signedIn.user.id, await linked(id), await sessionsOf(id)]).toEqual([id, 1, [["fed", "otp"]]]);
  });

  test("wrong codes do not use it up; the right one does", async () => {
    const { id, outcome } = await back();
    const code = await codeOf(outcome);
    for (const totp of ["000000", "", "12345", "1234567"])
      expect((await refusalOf(oauth.exchange({ code, totp }, origin))).code).toBe("invalid_credentials");
    expect([await linked(id), await sessionsOf(id)]).toEqual([0, []]);
    expect((await oauth.exchange({ code, totp: rightCode }, origin)).user.id).toBe(id);
    expect((await refusalOf(oauth.exchange({ code, totp: rightCode }, origin))).code).toBe("invalid_oauth_code");
  });

  test("of wrong codes at once no more are looked at than one after the other", async () => {
    const { id, outcome } = await back();
    const code = await codeOf(outcome);
    const guesses = Array.from({ length: 40 }, (_, n) => oauth.exchange({ code, totp: String(200_000 + n) }, origin));
    const refusals = await Promise.all(guesses.map(refusalOf));
    expect(compared.get(id)).toBe(5);
    expect(refusals.filter((problem) => problem.code === "invalid_credentials")).toHaveLength(5);
    expect(refusals.filter((problem) => problem.code === "rate_limited")).toHaveLength(35);
  });

  test("sent many times at once it opens one session", async () => {
    const { id, outcome } = await back();
    const code = await codeOf(outcome);
    const tries = await Promise.allSettled(Array.from({ length: 6 }, () => oauth.exchange({ code, totp: rightCode }, origin)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await sessionsOf(id)).toHaveLength(1);
  });

  test("there are five minutes to find the second factor, not for ever", async () => {
    const { outcome } = await back();
    const code = await codeOf(outcome);
    const [row] = await database.sql`
      select extract(epoch from expires_at - now())::int as seconds from one_time_tokens where purpose = 'oauth_sign_in' and used_at is null order by created_at desc limit 1`;
    expect(row?.seconds).toBeWithin(280, 301);
    await database.sql`update one_time_tokens set created_at = created_at - interval '301 seconds' where used_at is null`;
    expect((await refusalOf(oauth.exchange({ code }, origin))).code).toBe("mfa_required");
    for (const body of [{ code }, { code, totp: rightCode }])
      expect((await refusalOf(oauth.exchange(body, origin))).code).toBe("invalid_oauth_code");
  });
});

test("log-ins at once leave no more sessions than are allowed", async () => {
  const id = await newPerson();
  const codes: string[] = [];
  while (codes.length < 8) {
    // Each by another account at the provider: log-ins by one and the same wait for each other anyway.
    const other = await newPerson();
    await database.sql`insert into identities (provider, subject, user_id) values ('acme', ${other}, ${id})`;
    codes.push(await codeIn((await comeBack("/welcome", other)).outcome));
  }
  await Promise.all(codes.map((code) => oauth.exchange({ code, totp: rightCode }, { ...origin, ip: networkOfItsOwn() })));
  const [row] = await database.sql`
    select count(*)::int as live from sessions join session_users on session_id = id where user_id = ${id} and revoked_at is null`;
  expect(row?.live).toBe(sessionsMax);
});

test("the members of a problem are in its body, and take no place of its own", async () => {
  const problem = new Problem("mfa_required", { members: { exchangeCode: "x", code: "forged", status: "200" } });
  const answer = answerProblem(problem, { requestId: "req_1" } as Parameters<typeof answerProblem>[1]);
  expect(await answer.json()).toMatchObject({ exchangeCode: "x", code: "mfa_required", status: 401, instance: "req_1" });
});
