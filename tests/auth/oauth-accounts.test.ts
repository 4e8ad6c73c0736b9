import { describe, expect, test } from "bun:test";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { until } from "../until.ts";
import type { Person } from "./identity-provider.ts";
import { oauthCopy, publicUrl } from "./oauth-copy.ts";

const running = oauthCopy();
let people = 0;
/** A name that is new to the provider. */
const newPerson = (): string => {
  people += 1;
  return `linker-${people}`;
};
const vouched = (email: string): Person => ({ email, email_verified: true });
const identitiesOf = async ({ token }: Pick<SignedInUser, "token">) =>
  (await request(running.url, "/v1/auth/identities", { token })).body.data;
const verify = async ({ id }: SignedInUser): Promise<void> => {
  await running.sql`update users set email_verified_at = now() where id = ${id}`;
};
const mailsTo = async (email: string): Promise<string[]> =>
  (await request(running.url, "/dev/mail.json")).body.data
    .filter((mail: { to: string }) => mail.to === email)
    .map((mail: { subject: string }) => mail.subject);
/** From the request for a link to the answer of the callback. */
const link = async (user: Pick<SignedInUser, "token">, person: string, claims: Person = {}, body: object = {}) => {
  running.provider.people.set(person, claims);
  const browser = running.browser();
  const begun = await browser.visit("/v1/auth/oauth/acme/link", { body, headers: { authorization: `Bearer ${user.token}` } });
  expect(begun.status).toBe(200);
  return browser.visit(await browser.logInAt(begun.body.url, person));
};
const unlink = (user: Pick<SignedInUser, "token">, provider = "acme") =>
  request(running.url, `/v1/auth/identities/${provider}`, { method: "DELETE", token: user.token });

describe("an e-mail address that has an account here", () => {
  test("verified on both sides: the account is linked, its owner told, and it is the same account from then on", async () => {
    const user = await signUp(running.url);
    await verify(user);
    const person = newPerson();
    const first = await running.logIn(person, vouched(user.email.toUpperCase().replace("EXAMPLE.COM", "example.com")));
    expect([first.status, first.body.user.id]).toEqual([200, user.id]);
    expect(await identitiesOf(user)).toMatchObject([{ provider: "acme" }]);
    await until("the mail is there", async () => (await mailsTo(user.email)).includes("acme was linked"));
    expect((await running.logIn(person, {})).body.user.id).toBe(user.id);
  });

  test("verified by the provider, not here (somebody may have signed up with it to wait for the owner): email_taken, nothing linked", async () => {
    const waiting = await signUp(running.url);
    const answer = await running.logIn(newPerson(), vouched(waiting.email));
    expectProblem(answer, "email_taken");
    expect(answer.body.detail).toContain("link acme there");
    expect(await identitiesOf(waiting)).toEqual([]);
    expect((await request(running.url, "/v1/me", { token: waiting.token })).body.user.emailVerified).toBe(false);
  });

  test.each<readonly [string, Person]>([
    ["false", { email_verified: false }],
    ["absent", {}],
    ["null", { email_verified: null }],
    ["a text that is not true", { email_verified: "yes" }],
    ["an object", { email_verified: {} }],
    ["true only in Microsoft's claim, which this provider does not speak", { xms_edov: true }],
  ])("email_verified is %s: the same refusal, whether or not there is an account", async (_, claims) => {
    const user = await signUp(running.url);
    await verify(user);
    const known = await running.logIn(newPerson(), { ...claims, email: user.email });
    const unknown = await running.logIn(newPerson(), { ...claims, email: `${newPerson()}@acme.example` });
    for (const answer of [known, unknown]) expectProblem(answer, "email_not_vouched");
    expect({ ...unknown.body, instance: "" }).toEqual({ ...known.body, instance: "" });
    expect(await identitiesOf(user)).toEqual([]);
  });

  test.each<readonly [string, unknown]>([
    ["none", undefined],
    ["empty", ""],
    ["two addresses", "ada@example.com,eve@example.com"],
    ["a line break in it", "ada@example.com\nbcc: eve@example.com"],
    ["a list", ["ada@example.com"]],
    ["too long", `${"a".repeat(250)}@example.com`],
    ["of letters that look alike", "аda@example.com"],
  ])("an address that is no address (%s): email_not_vouched", async (_, email) => {
    expectProblem(await running.logIn(newPerson(), { email, email_verified: true }), "email_not_vouched");
  });
});

describe("somebody new", () => {
  test("who comes several times at once gets one account", async () => {
    const [person, email] = [newPerson(), `${newPerson()}@acme.example`];
    const answers = await Promise.all(Array.from({ length: 5 }, () => running.logIn(person, vouched(email))));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.user.id)).size).toBe(1);
    expect(await running.sql`select 1 from identities where subject = ${person}`).toHaveLength(1);
  });

  test("has no password: an empty one and any other log nobody in", async () => {
    const email = `${newPerson()}@acme.example`;
    await running.logIn(newPerson(), vouched(email));
    for (const password of ["", "null", "correct horse battery staple"])
      expectProblem(await request(running.url, "/v1/auth/login", { body: { email, password } }), "invalid_credentials");
  });

  test.each<readonly [string, unknown, string | null]>([
    ["a name", "Ada Lovelace", "Ada Lovelace"],
    ["a name with NUL", "Ada\0", null],
    ["a name of 201 characters", "x".repeat(201), null],
    ["a number", 7, null],
  ])("with %s as name", async (_, name, expected) => {
    const { body } = await running.logIn(newPerson(), { ...vouched(`${newPerson()}@acme.example`), name });
    expect(body.user.name).toBe(expected);
  });

  test("claims that try to set more than who it is set nothing", async () => {
    const { body } = await running.logIn(newPerson(), {
      ...vouched(`${newPerson()}@acme.example`),
      role: "admin",
      id: "usr_1",
      name: "Eve",
    });
    expect([body.user.role, body.user.name]).toEqual(["user", "Eve"]);
  });
});

test("a disabled account: account_disabled, also when it would be linked just now", async () => {
  const person = newPerson();
  const { body } = await running.logIn(person, vouched(`${person}@acme.example`));
  await running.sql`update users set disabled_at = now() where id = ${body.user.id}`;
  expectProblem(await running.logIn(person, {}), "account_disabled");
  const user = await signUp(running.url);
  await running.sql`update users set disabled_at = now(), email_verified_at = now() where id = ${user.id}`;
  expectProblem(await running.logIn(newPerson(), vouched(user.email)), "account_disabled");
  expect(await running.sql`select 1 from identities where user_id = ${user.id}`).toHaveLength(0);
});

describe("linking while logged in", () => {
  test("takes any identity, whatever its address, and it opens the account from then on", async () => {
    const user = await signUp(running.url);
    const person = newPerson();
    const answer = await link(user, person, { email: "elsewhere@acme.example", email_verified: false });
    expect([answer.status, answer.body]).toMatchObject([200, { provider: "acme" }]);
    expect(await identitiesOf(user)).toEqual([{ provider: "acme", email: "elsewhere@acme.example", createdAt: answer.body.createdAt }]);
    const opened = await running.logIn(person, {});
    expect([opened.status, opened.body.user.id, opened.body.user.emailVerified]).toEqual([200, user.id, false]);
    await until("the mail is there", async () => (await mailsTo(user.email)).includes("acme was linked"));
    const rows = await running.sql`select data from audit_log where action = 'identity.linked' and subject = ${user.id}`;
    expect(rows.map(({ data }) => data)).toEqual([{ provider: "acme", how: "signed_in" }]);
  });

  test("linking again what is linked changes nothing; what opens another account: identity_taken", async () => {
    const [user, other, person] = [await signUp(running.url), await signUp(running.url), newPerson()];
    for (let n = 0; n < 2; n += 1) expect((await link(user, person)).status).toBe(200);
    expect(await identitiesOf(user)).toHaveLength(1);
    expectProblem(await link(other, person), "identity_taken");
    expect(await identitiesOf(other)).toEqual([]);
  });

  test("with returnTo the browser goes there, and is told", async () => {
    const [user, other, person] = [await signUp(running.url), await signUp(running.url), newPerson()];
    expect((await link(user, person, {}, { returnTo: "/settings" })).location).toBe(`${publicUrl}/settings#linked=acme`);
    expect((await link(other, person, {}, { returnTo: "/settings" })).location).toBe(`${publicUrl}/settings#error=identity_taken`);
  });

  test("somebody else's browser can't be made to finish it: their identity would open the account of whoever asked", async () => {
    const [thief, victim] = [await signUp(running.url), newPerson()];
    const begun = await request(running.url, "/v1/auth/oauth/acme/link", { body: {}, token: thief.token });
    const browser = running.browser();
    expectProblem(await browser.visit(await browser.logInAt(begun.body.url, victim)), "invalid_oauth_flow");
    expect(await identitiesOf(thief)).toEqual([]);
  });

  test("nothing is linked once the session that asked has ended", async () => {
    const user = await signUp(running.url);
    const browser = running.browser();
    const begun = await browser.visit("/v1/auth/oauth/acme/link", { body: {}, headers: { authorization: `Bearer ${user.token}` } });
    const callback = await browser.logInAt(begun.body.url, newPerson());
    await request(running.url, "/v1/auth/logout", { method: "POST", token: user.token });
    expectProblem(await browser.visit(callback), "invalid_oauth_flow");
    expect(await running.sql`select 1 from identities where user_id = ${user.id}`).toHaveLength(0);
  });

  test("bad input", async () => {
    const { token } = await signUp(running.url);
    const ask = (path: string, body: unknown) => request(running.url, path, { body, token });
    expectProblem(await ask("/v1/auth/oauth/nobody/link", {}), "not_found");
    expect(pointersOf(await ask("/v1/auth/oauth/acme/link", { returnTo: "//evil.example" }))).toEqual(["/returnTo"]);
    expect(pointersOf(await ask("/v1/auth/oauth/acme/link", { userId: "usr_1" }))).toEqual(["/userId"]);
    expectProblem(await request(running.url, "/v1/auth/oauth/acme/link", { body: {} }), "unauthenticated");
  });
});

describe("unlinking", () => {
  test("204: it opens the account no more, the owner is told; a second time: 404", async () => {
    const [user, person] = [await signUp(running.url), newPerson()];
    await link(user, person);
    expect((await unlink(user)).status).toBe(204);
    expect(await identitiesOf(user)).toEqual([]);
    expectProblem(await unlink(user), "not_found");
    expectProblem(await running.logIn(person, {}), "email_not_vouched");
    await until("the mail is there", async () => (await mailsTo(user.email)).includes("acme was unlinked"));
  });

  test("the only way in stays, until there is a passkey, a password or another identity", async () => {
    const ways = {
      passkey: (id: string) => running.sql`
        insert into passkeys (id, user_id, credential_id, public_key, counter, name, backed_up) values (${`pky_${id}`}, ${id}, ${id}, ${Buffer.from("x")}, 0, 'key', false)`,
      password: (id: string) => running.sql`update users set password_hash = 'x' where id = ${id}`,
      identity: (id: string) => running.sql`insert into identities (provider, subject, user_id) values ('twin', ${id}, ${id})`,
    };
    for (const [way, add] of Object.entries(ways)) {
      const { body } = await running.logIn(newPerson(), vouched(`${newPerson()}@acme.example`));
      const user = { token: body.accessToken };
      expectProblem(await unlink(user), "only_way_in");
      expect(await identitiesOf(user)).toHaveLength(1);
      await add(body.user.id);
      expect([way, (await unlink(user)).status]).toEqual([way, 204]);
    }
  });

  test("of two identities that are taken away at once one stays", async () => {
    const { body } = await running.logIn(newPerson(), vouched(`${newPerson()}@acme.example`));
    const user = { token: body.accessToken };
    await running.sql`insert into identities (provider, subject, user_id) values ('twin', ${body.user.id}, ${body.user.id})`;
    const answers = await Promise.all([unlink(user, "acme"), unlink(user, "twin")]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    expect(await identitiesOf(user)).toHaveLength(1);
  });

  test("another user's identities are neither shown nor touched", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    await link(user, newPerson());
    expectProblem(await unlink(other), "not_found");
    expect([await identitiesOf(other), (await identitiesOf(user)).length]).toEqual([[], 1]);
  });
});

test("what opens the account to others, or shuts it, needs a log-in of the last 15 minutes", async () => {
  const user = await signUp(running.url);
  await link(user, newPerson());
  await running.sql`update session_users set authenticated_at = now() - interval '16 minutes' where user_id = ${user.id}`;
  expectProblem(await request(running.url, "/v1/auth/oauth/acme/link", { body: {}, token: user.token }), "reauthentication_required");
  expectProblem(await unlink(user), "reauthentication_required");
  expect(await identitiesOf(user)).toHaveLength(1);
});

describe.each(["closed", "invite"])("KEELSON_SIGNUP=%s", (signup) => {
  const shut = oauthCopy({
    KEELSON_SIGNUP: signup,
    KEELSON_ADMIN_EMAIL: "root@example.com",
    KEELSON_ADMIN_PASSWORD: "correct horse battery staple",
  });

  test("somebody new: signup_closed; an account that is there already still opens", async () => {
    expectProblem(await shut.logIn("new", vouched("new@acme.example")), "signup_closed");
    expect(await shut.sql`select 1 from users where email = 'new@acme.example'`).toHaveLength(0);
    await shut.sql`update users set email_verified_at = now()`;
    const opened = await shut.logIn("root", vouched("root@example.com"));
    expect([opened.status, opened.body.user.role]).toEqual([200, "admin"]);
  });
});
