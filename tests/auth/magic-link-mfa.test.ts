import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { systemNow } from "../../app/platform/clock.ts";
import { Problem, type ProblemCode } from "../../app/platform/errors.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createSeal } from "../../app/platform/seal.ts";
import { createAddressProofStore } from "../../app/services/auth/address-proof/store.ts";
import { createMailedLinks } from "../../app/services/auth/email/links.ts";
import { createEmailService } from "../../app/services/auth/email/service.ts";
import { createLogIn, type SecondFactor } from "../../app/services/auth/log-in.ts";
import type { Mail } from "../../app/services/auth/mails.ts";
import { createTransactLogIn } from "../../app/services/auth/mfa/tries.ts";
import { createOneTimeTokens } from "../../app/services/auth/one-time-tokens.ts";
import { createPasswordStore } from "../../app/services/auth/passwords/store.ts";
import { createAuthority } from "../../app/services/auth/sessions/authority.ts";
import { createKeptAnswers } from "../../app/services/auth/sessions/kept-answers.ts";
import { createSessionService } from "../../app/services/auth/sessions/service.ts";
import { createSessionTokens } from "../../app/services/auth/sessions/session-tokens.ts";
import { createSessionStore } from "../../app/services/auth/sessions/store.ts";
import { createAuthStore } from "../../app/services/auth/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import { emptyPostgres } from "../services.ts";

/** The real parts on a real database; only the second factor is known beforehand. */
let database: DatabaseClient;
beforeAll(async () => {
  const url = await emptyPostgres();
  await migrate(url);
  database = openDatabase({ url, connectionsMax: 10, applicationName: "test" });
});
afterAll(() => database.close());

const origin = { requestId: "req_test", ip: "203.0.113.1", userAgent: undefined };
const rightCode = "424242";

const secondFactor: SecondFactor = async (_unit, { code }) => {
  if (code === undefined) throw new Problem("mfa_required");
  if (code !== rightCode) throw new Problem("invalid_credentials");
  return "otp";
};

async function withLink() {
  const { db } = database;
  const now = systemNow;
  const transact = createTransact({ db, now, wake: () => undefined });
  const users = createAuthStore(db);
  const sessionStore = createSessionStore(db);
  const accessTokens = { sign: async () => ({ token: randomToken(), expiresInSeconds: 900 }) };
  const keptAnswers = createKeptAnswers(createSeal(randomBytes(32)));
  const tokens = createSessionTokens({ store: sessionStore, accessTokens, keptAnswers, refreshSeconds: 3_600, now });
  const sent: Mail[] = [];
  const sendMail = async (_unit: unknown, mail: Mail) => void sent.push(mail);
  const links = createMailedLinks({
    oneTimeTokens: createOneTimeTokens({ store: users, now }),
    users,
    store: createPasswordStore(db),
    // Nothing is set up in these accounts that could be removed.
    proveAddress: async (unit, user) => (await createAddressProofStore().setVerified(user.id, now(), unit.tx)) ?? user,
    transact,
    sendMail,
    publicUrl: "https://keelson.example.com",
    now,
  });
  const authority = createAuthority({ store: sessionStore, revocations: { learn: () => undefined } });
  const logIn = createLogIn({
    store: sessionStore,
    authority,
    sessions: createSessionService({ store: sessionStore, authority, transact, tokens, now }),
    tokens,
    secondFactor,
    sendMail,
    sessionsMax: 10,
    bindNetwork: false,
    requireVerifiedEmail: false,
    now,
  });
  const nobody = async () => {
    throw new Error("nobody disowns an account here");
  };
  const email = createEmailService({
    users,
    links,
    answerFirst: { begin: () => undefined },
    logIn,
    leaveTeams: nobody,
    closeAccount: nobody,
    transact: createTransactLogIn({ transact, tries: { count: async () => undefined } }),
    tellOwner: nobody,
    verification: "optional",
  });
  const user = await users.insertUser({ id: `usr_${randomToken(8)}`, email: `${randomToken(9)}@example.com` });
  if (!user) throw new Error("the address was taken");
  await links.sendTo(user.email, { purpose: "magic_link", origin });
  const token = /token=([\w-]+)/.exec(sent[0]?.text ?? "")?.[1] ?? "";
  const attempt = (totp?: string) => email.useMagicLink({ token, totp }, origin);
  return { user, attempt, sessions: () => sessionStore.liveOf(user.id), reread: () => users.findUser(user.id) };
}

async function codeOf(refused: Promise<unknown>): Promise<ProblemCode | undefined> {
  const error = await refused.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`not refused: ${Bun.inspect(error)}`);
  return error.code;
}

test("a log-in link does not pass the second factor by; a missing or wrong code leaves the link, the account and the sessions as they were", async () => {
  const { attempt, sessions, reread } = await withLink();
  const tries: readonly (readonly [string | undefined, ProblemCode])[] = [
    [undefined, "mfa_required"],
    ["000000", "invalid_credentials"],
    ["", "invalid_credentials"],
    [undefined, "mfa_required"],
  ];
  for (const [code, problem] of tries) expect(await codeOf(attempt(code))).toBe(problem);
  expect(await sessions()).toEqual([]);
  expect((await reread())?.emailVerifiedAt).toBeNull();
  const signedIn = await attempt(rightCode);
  expect(signedIn.user.emailVerified).toBe(true);
  expect((await sessions()).map(({ id }) => id)).toEqual([signedIn.session.id]);
  expect(await codeOf(attempt(rightCode))).toBe("invalid_link");
});

test("used many times at once with the right code it opens one session", async () => {
  const { attempt, sessions } = await withLink();
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => attempt(rightCode)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await sessions()).toHaveLength(1);
});
