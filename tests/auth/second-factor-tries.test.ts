import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Secret, TOTP } from "otpauth";
import postgres from "postgres";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { mailTo, tokenIn } from "./mailbox.ts";

let first: TestCopy;
let second: TestCopy;
let database: postgres.Sql;
beforeAll(async () => {
  const settings = {
    KEELSON_TRUST_PROXY: "true",
    KEELSON_DEV_MAILBOX: "true",
    KEELSON_KEK: Buffer.alloc(32, 7).toString("base64"),
    KEELSON_LOGIN_LIMIT_PER_MINUTE: "10000",
    KEELSON_REFUSED_LIMIT_PER_MINUTE: "10000",
  };
  first = await startTestCopy("postgres", settings);
  const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = first.config;
  second = await startTestCopy("postgres", { ...settings, DATABASE_URL, KEELSON_KEY_PREFIX });
  database = postgres(DATABASE_URL, { max: 1 });
}, 60_000);
afterAll(async () => {
  await database.end();
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
}, 60_000);

interface WithTotp extends SignedInUser {
  readonly secret: string;
}

const codeOf = ({ secret }: WithTotp, steps = 0) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 });

async function withTotp(): Promise<WithTotp> {
  const user = await signUp(first.url);
  await database`update users set email_verified_at = now() where id = ${user.id}`;
  const { token } = user;
  const { secret } = (await request(first.url, "/v1/auth/mfa/totp", { method: "POST", token })).body;
  const body = { code: codeOf({ ...user, secret }, -1) };
  expect((await request(first.url, "/v1/auth/mfa/totp/verify", { token, body })).status).toBe(200);
  return { ...user, secret };
}

/** Networks where nobody has been before. */
let networks = 0;
const elsewhere = () => ({ "x-forwarded-for": `198.51.${++networks}.1` });
const home = {};
const logIn = ({ email, password }: SignedInUser, totp: string, headers: Record<string, string> = home) =>
  request(first.url, "/v1/auth/login", { body: { email, password, totp }, headers });

function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { body } of answers) counts[body.code] = (counts[body.code] ?? 0) + 1;
  return counts;
}

const guesses = Array.from({ length: 60 }, (_, n) => ({ totp: String(100_000 + n), copy: n }));
const copyOf = (n: number) => (n % 2 === 0 ? first : second);

describe("of wrong codes at once, on two copies, no more are looked at than one after the other", () => {
  test("with a log-in link", async () => {
    const user = await withTotp();
    await request(first.url, "/v1/auth/magic-link", { body: { email: user.email } });
    const token = tokenIn(await mailTo(first.url, user.email, "Your log-in link"));
    const answers = await Promise.all(
      guesses.map(({ totp, copy }) => request(copyOf(copy).url, "/v1/auth/magic-link/verify", { body: { token, totp } })),
    );
    expect(tally(answers)).toEqual({ invalid_credentials: 5, rate_limited: 55 });
    const acts = await database`select 1 from audit_log where subject = ${user.id} and action = 'security.second_factor_failed'`;
    expect(acts).toHaveLength(5);
    expectProblem(await request(first.url, "/v1/auth/magic-link/verify", { body: { token, totp: codeOf(user) } }), "rate_limited");
  });

  test("with a password, and one that is right among them too late", async () => {
    const user = await withTotp();
    const { email, password } = user;
    const answers = await Promise.all(
      guesses.map(({ totp, copy }) => request(copyOf(copy).url, "/v1/auth/login", { body: { email, password, totp } })),
    );
    expect(tally(answers)).toEqual({ invalid_credentials: 5, rate_limited: 55 });
    expectProblem(await logIn(user, codeOf(user)), "rate_limited");
  });
});

describe("who knows the password", () => {
  test("does not keep the owner out from other networks, and guesses no faster for having many", async () => {
    const user = await withTotp();
    for (let n = 0; n < 4; n += 1) {
      const headers = elsewhere();
      for (let guess = 0; guess < 5; guess += 1) expectProblem(await logIn(user, "000000", headers), "invalid_credentials");
      expectProblem(await logIn(user, "000000", headers), "rate_limited");
    }
    expectProblem(await logIn(user, "000000", elsewhere()), "rate_limited");
    expect((await logIn(user, codeOf(user))).status).toBe(200);
  });

  test("a password reset ends the wait, but gives nobody five new tries", async () => {
    const user = await withTotp();
    for (let guess = 0; guess < 5; guess += 1) expectProblem(await logIn(user, "000000"), "invalid_credentials");
    expectProblem(await logIn(user, codeOf(user)), "rate_limited");
    await request(first.url, "/v1/auth/password/forgot", { body: { email: user.email } });
    const token = tokenIn(await mailTo(first.url, user.email, "Choose a new password"));
    const password = "another horse, another staple";
    expect((await request(first.url, "/v1/auth/password/reset", { body: { token, newPassword: password } })).status).toBe(204);
    expectProblem(await logIn({ ...user, password }, "000000"), "invalid_credentials");
    expectProblem(await logIn({ ...user, password }, codeOf(user)), "rate_limited");
    await database`update login_failures set blocked_until = null where key like ${`mfa:${user.id}%`}`;
    expect((await logIn({ ...user, password }, codeOf(user))).status).toBe(200);
  });
});
