import { expect, test } from "bun:test";

/** Shown by a test of this name in this file (below the project's root). */
interface Shown {
  readonly file: string;
  readonly test: string;
}
type Row = readonly [
  id: string,
  level: 1 | 2 | 3,
  what: string,
  by: readonly Shown[] | { readonly doc: string; readonly says: string } | { readonly notMet: string },
];

const auth = (file: string, name: string): Shown => ({ file: `tests/auth/${file}.test.ts`, test: name });
const unit = (file: string, name: string): Shown => ({ file: `app/services/auth/${file}.test.ts`, test: name });
const architecture = (says: string) => ({ doc: "ARCHITECTURE.md", says });

/** OWASP ASVS 5.0, levels 1 and 2 of V6 to V9 and what we know of beyond, in our own words: each with the test that shows it, or the reason why it is not met. */
const requirements: readonly Row[] = [
  ["6.1.1", 1, "documents how guessing is slowed down, without locking a victim out", architecture("**What is guessed at is bounded**")],
  ["6.1.2", 2, "documents the words that passwords must not be made of", { doc: "app/services/auth/passwords/policy.ts", says: "name" }],
  ["6.1.3", 2, "documents all ways to log in, and what each of them asks for", architecture("**One gate.**")],
  ["6.2.1", 1, "passwords have 8 characters or more", [auth("accounts", "signup")]],
  ["6.2.2", 1, "users can change their password", [auth("passwords", "POST /v1/auth/password/change")]],
  ["6.2.3", 1, "a change asks for the current password too", [auth("passwords", "204: the new one opens, the old one does not")]],
  ["6.2.4", 1, "common passwords are refused", [auth("passwords", "a password that is easy to guess")]],
  ["6.2.5", 1, "no rules of composition", [unit("passwords/strength", "%s is good enough")]],
  ["6.2.6", 1, "password fields of our pages hide what is typed", [auth("setup", "page")]],
  ["6.2.7", 1, "paste and password managers work in them", [auth("setup", "page")]],
  [
    "6.2.8",
    2,
    "a password is taken as it was typed",
    {
      notMet:
        "Unicode is brought to one form (NFKC) first, as NIST SP 800-63B 5.1.1.2 asks, so that a password does not depend on the keyboard. Nothing is cut and no case is changed.",
    },
  ],
  ["6.2.9", 2, "64 characters and more are allowed", [unit("passwords/strength", "only the first 64 characters count")]],
  ["6.2.10", 2, "passwords do not expire", { doc: "app/config.ts", says: "KEELSON_PASSWORD_HISTORY" }],
  ["6.2.11", 2, "the account's own words make bad passwords", [auth("passwords", "a password that is easy to guess")]],
  [
    "6.3.1",
    1,
    "guessing is slowed down as documented",
    [auth("lockout", "per account and network"), auth("mfa", "guessing is slowed down")],
  ],
  ["6.3.2", 2, "a second factor is demanded", { notMet: "Each user decides. An installation cannot demand it of all yet." }],
  ["6.3.3", 2, "no way in is weaker than the others", [auth("mfa", "no way around it"), auth("oauth-mfa", "")]],
  [
    "6.3.8",
    3,
    "nothing tells which accounts exist",
    {
      notMet:
        "Only with KEELSON_EMAIL_VERIFICATION=required. Else sign-up logs in at once, and has to say with 409 that an address has an account. Log-in, reset and log-in links never tell.",
    },
  ],
  [
    "6.4.1",
    1,
    "first secrets are random, short-lived and work once",
    [auth("email-flows", "works once, also for many at once"), auth("setup", "")],
  ],
  ["6.4.2", 1, "no hints and no secret questions", { doc: "app/services/auth/routes.ts", says: "passwordRoutes" }],
  ["6.4.3", 2, "a reset does not pass by the second factor", [auth("mfa", "a password reset opens no session and leaves it on")]],
  ["6.4.4", 2, "a lost factor is replaced only after proof as strong", [auth("mfa", "a recovery code works once")]],
  [
    "6.5.1",
    2,
    "codes and links work once",
    [
      auth("mfa", "a code works once, and none from before it"),
      auth("mfa", "a recovery code works once"),
      auth("email-flows", "works once, also for many at once"),
    ],
  ],
  ["6.5.2", 2, "recovery codes are stored hashed", [auth("mfa", "the secret and the codes are not stored as they are")]],
  ["6.5.3", 2, "secrets and codes are random", { doc: "app/services/auth/mfa/recovery-codes.ts", says: "randomBytes" }],
  ["6.5.4", 2, "codes have 20 bits or more", { doc: "app/services/auth/mfa/recovery-codes.ts", says: "123 bits" }],
  [
    "6.5.5",
    2,
    "codes and links end soon",
    {
      notMet:
        "A code of an authenticator app is good for its 30 seconds and one step to either side, because clocks differ (RFC 6238 5.2). Log-in links live 15 minutes.",
    },
  ],
  ["6.6.1", 2, "telephone codes only beside something better", { notMet: "There are none." }],
  ["6.6.2", 2, "a link belongs to the request it was made for", [auth("email-flows", "is of use for nothing else")]],
  ["6.6.3", 2, "links cannot be guessed", { doc: "app/services/auth/one-time-tokens.ts", says: "256 bits" }],
  ["6.8.1", 2, "identities of one provider are not those of another", [auth("oauth", "at another provider's callback")]],
  ["6.8.2", 2, "signatures of assertions are checked", [auth("oauth", "an id token that does not hold")]],
  ["6.8.3", 2, "SAML assertions work once", { notMet: "There is no SAML." }],
  ["6.8.4", 2, "the strength of a provider's log-in is taken into account", [auth("oauth-mfa", "")]],

  ["7.1.1", 2, "documents time-outs", { doc: "README.md", says: "KEELSON_SESSION_IDLE_SECONDS" }],
  ["7.1.2", 2, "documents how many sessions there may be", { doc: "README.md", says: "KEELSON_SESSIONS_MAX" }],
  ["7.1.3", 2, "documents what a provider's session has to do with ours", architecture("A provider's own session")],
  ["7.2.1", 1, "tokens are verified here", [auth("tokens", "forged, altered and foreign tokens")]],
  ["7.2.2", 1, "sessions use tokens made for them", [auth("sessions", "the token carries them all")]],
  ["7.2.3", 1, "refresh tokens are random", { doc: "app/services/auth/sessions/session-tokens.ts", says: "randomToken(32)" }],
  [
    "7.2.4",
    1,
    "a log-in makes a new token and ends the old one",
    [auth("sessions", "switching back needs no password; the token from before is refused")],
  ],
  ["7.3.1", 2, "a session that nobody uses ends", [auth("refresh", "a session that nobody used for too long ends at its refresh")]],
  ["7.3.2", 2, "a session ends however much it is used", [auth("refresh", "a session that is too old ends at its refresh")]],
  ["7.4.1", 1, "after log-out nothing goes on", [auth("revocation", "log-out"), auth("accounts", "POST /v1/auth/logout: 204")]],
  [
    "7.4.2",
    1,
    "a disabled or deleted account has no sessions",
    [auth("users", "its sessions end at once"), auth("users", "closes the account at once")],
  ],
  ["7.4.3", 2, "a changed password can end the other sessions", [auth("passwords", "204: the new one opens, the old one does not")]],
  [
    "7.4.4",
    2,
    "log-out is easy to find",
    { notMet: "There are no pages behind a log-in. POST /v1/auth/logout is for those who make them." },
  ],
  ["7.4.5", 2, "administrators end a user's sessions", [auth("users", "logs the user out everywhere; the account stays")]],
  [
    "7.5.1",
    2,
    "what guards the account is changed only after a fresh log-in",
    [auth("mfa", "each change needs a log-in that is not old"), auth("oauth-accounts", "needs a log-in of the last 15 minutes")],
  ],
  ["7.5.2", 2, "users see their sessions and end them", [auth("sessions", "the list of sessions and log-out from afar")]],
  ["7.6.1", 2, "sessions and providers behave as documented", architecture("A provider's own session")],
  ["7.6.2", 2, "a session begins only by an act of the user", [auth("oauth", "without the cookie, and with another browser's: 400")]],

  ["8.1.1", 1, "documents who may do what", { doc: "app/services/auth/can.ts", says: "may" }],
  ["8.1.2", 2, "documents which fields may be set", { doc: "app/http/route.ts", says: "jsonBody" }],
  [
    "8.2.1",
    1,
    "functions are for those who may",
    [auth("users", "nobody else does: 403"), auth("api-keys", "a key without the scope is refused before anything else")],
  ],
  [
    "8.2.2",
    1,
    "somebody else's things do not exist",
    [
      auth("access", "what belongs to somebody else does not exist"),
      auth("api-keys", "somebody else's key does not exist"),
      auth("sessions", "somebody else's session: 404"),
    ],
  ],
  [
    "8.2.3",
    2,
    "fields that nobody may set are refused",
    [auth("access", "fields the caller may not set"), auth("teams", "fields the caller may not set")],
  ],
  ["8.3.1", 1, "the rules are enforced in the service", [unit("can", "sessions")]],
  ["8.4.1", 2, "tenants do not meet", [auth("api-keys-teams", "its maker's own things are not its business")]],

  ["9.1.1", 1, "signatures are checked before anything else", [auth("tokens", "any single bit that is flipped makes it invalid")]],
  ["9.1.2", 1, "algorithms are those of the key", [auth("tokens", "with the public key's bytes"), auth("tokens", "without a signature")]],
  [
    "9.1.3",
    1,
    "keys come from us, never from the token",
    [auth("tokens", "another key behind jku"), auth("tokens", "another key, brought along in the header")],
  ],
  ["9.2.1", 1, "tokens have their time", [auth("tokens", "expired a second ago"), auth("tokens", "not valid yet")]],
  [
    "9.2.2",
    2,
    "only access tokens are access tokens",
    [auth("tokens", "typ of another kind of token"), auth("refresh", "an access token is no refresh token")],
  ],
  ["9.2.3", 2, "tokens are for us", [auth("tokens", "another audience")]],
  ["9.2.4", 2, "the audience names who is meant", [auth("tokens", "no audience")]],
];

const root = new URL("../../", import.meta.url).pathname;

test.each(requirements.map((row) => [row[0], row[2], row] as const))("ASVS %s: %s", async (_id, _what, [, , , by]) => {
  if ("notMet" in by) return expect(by.notMet.length).toBeGreaterThan(10);
  if ("doc" in by) return expect(await Bun.file(`${root}${by.doc}`).text()).toContain(by.says);
  for (const { file, test: name } of by) {
    expect(await Bun.file(`${root}${file}`).text(), file).toContain(name);
  }
});

test("every requirement of the two levels has a row, once", () => {
  const sections: Readonly<Record<string, number>> = {
    "6.1": 3,
    "6.2": 11,
    "6.3": 3,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
  };
  const expected = Object.entries(sections).flatMap(([section, count]) =>
    Array.from({ length: count }, (_, index) => `${section}.${index + 1}`),
  );
  expect(
    requirements
      .filter(([, level]) => level < 3)
      .map(([id]) => id)
      .sort(),
  ).toEqual(expected.sort());
});
