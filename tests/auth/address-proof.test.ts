import { describe, expect, test } from "bun:test";
import { newId } from "../../app/platform/ids.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { until } from "../until.ts";
import { mailsTo, mailTo, tokenIn } from "./mailbox.ts";
import { oauthCopy } from "./oauth-copy.ts";

const root = { email: "root@example.com", password: "correct horse battery staple" };
const running = oauthCopy({
  KEELSON_ADMIN_EMAIL: root.email,
  KEELSON_ADMIN_PASSWORD: root.password,
  KEELSON_TRUST_PROXY: "1",
  KEELSON_DEV_MAILBOX: "true",
});
/** Where the owner of the mailbox is, and whoever signed up with it was not. */
const elsewhere = { "x-forwarded-for": "203.0.113.9" };
const another = "quartz vexing jumbled sphinx";
const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  request(running.url, path, { body, headers });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (token: string) => (await request(running.url, "/v1/me", { token })).status;
const login = ({ email, password }: SignedInUser) => post("/v1/auth/login", { email, password });
const mailed = async ({ email }: SignedInUser, subject: string) => tokenIn(await mailTo(running.url, email, subject));

/** How the owner of the mailbox shows that it is theirs; `headers` go with the last request. */
const proofs = {
  magic_link: async (user: SignedInUser, headers = {}) => {
    await post("/v1/auth/magic-link", { email: user.email });
    return post("/v1/auth/magic-link/verify", { token: await mailed(user, "Your log-in link") }, { ...elsewhere, ...headers });
  },
  reset_password: async (user: SignedInUser, headers = {}) => {
    await post("/v1/auth/password/forgot", { email: user.email });
    return post(
      "/v1/auth/password/reset",
      { token: await mailed(user, "Choose a new password"), newPassword: another },
      { ...elsewhere, ...headers },
    );
  },
};

/** An account with an address that nobody has proved, and everything that a stranger may set up in it to come back later. */
async function prepared() {
  const [user, friend] = [await signUp(running.url), await signUp(running.url)];
  const { sql, url } = running;
  const make = (path: string, body: object) => request(url, path, { token: user.token, body });
  const { key } = (await make("/v1/api-keys", { name: "mine", scopes: ["auth:read"] })).body;
  const [alone, shared] = [
    (await make("/v1/teams", { name: "Alone" })).body.team.id,
    (await make("/v1/teams", { name: "Shared" })).body.team.id,
  ];
  const foreign = (await request(url, "/v1/teams", { token: friend.token, body: { name: "Foreign" } })).body.team.id;
  await sql`insert into team_members (team_id, user_id, role) values (${shared}, ${friend.id}, 'viewer'), (${foreign}, ${user.id}, 'member')`;
  const { key: teamKey } = (await make("/v1/api-keys", { name: "the team's", scopes: ["auth:read"], teamId: shared })).body;
  await sql`insert into passkeys (id, user_id, credential_id, public_key, counter, name, backed_up)
    values (${newId("passkey")}, ${user.id}, ${user.id}, ${Buffer.from("x")}, 0, 'key', false)`;
  await sql`insert into totp_credentials (user_id, secret) values (${user.id}, ${Buffer.from("x")})`;
  await sql`insert into recovery_codes (user_id, hash) values (${user.id}, 'x')`;
  await sql`insert into identities (provider, subject, user_id) values ('twin', ${user.id}, ${user.id})`;
  await sql`insert into password_history (user_id, hash) values (${user.id}, 'x')`;
  return { user, friend, alone, shared, foreign, keys: [key, teamKey] };
}

const left = async ({ id }: SignedInUser) => {
  const [row] = await running.sql`select
    (select count(*)::int from passkeys where user_id = ${id}) as passkeys,
    (select count(*)::int from totp_credentials where user_id = ${id}) as totp,
    (select count(*)::int from recovery_codes where user_id = ${id}) as codes,
    (select count(*)::int from identities where user_id = ${id} and provider = 'twin') as identities,
    (select count(*)::int from password_history where user_id = ${id} and hash = 'x') as history,
    (select count(*)::int from team_members where user_id = ${id}) as teams,
    (select count(*)::int from api_keys where owner_id = ${id} and revoked_at is null) as keys`;
  return row;
};
const nothing = { passkeys: 0, totp: 0, codes: 0, identities: 0, history: 0, teams: 0, keys: 0 };
const everything = { passkeys: 1, totp: 1, codes: 1, identities: 1, history: 1, teams: 3, keys: 2 };
const audited = (action: string, { id }: SignedInUser) =>
  running.sql`select data from audit_log where action = ${action} and subject = ${id}`.then((rows) => rows.map(({ data }) => data));

describe.each(["magic_link", "reset_password"] as const)("an address proved for the first time, by %s", (by) => {
  test("without a session of the account: all from before is gone, for good, and is told", async () => {
    const { user, friend, alone, shared, keys } = await prepared();
    const answer = await proofs[by](user);
    expect(answer.status).toBe(by === "reset_password" ? 204 : 200);
    expect(await left(user)).toEqual(nothing);
    expect(await statusOf(user.token)).toBe(401);
    expectProblem(await post("/v1/auth/refresh", { refreshToken: user.refreshToken }), "invalid_refresh_token");
    expectProblem(await login(user), "invalid_credentials");
    for (const key of keys) expectProblem(await request(running.url, "/v1/teams", { token: key }), "invalid_token");
    expect(await running.sql`select 1 from teams where id = ${alone}`).toHaveLength(0);
    const members = await running.sql`select user_id, role from team_members where team_id = ${shared}`;
    expect([...members]).toEqual([{ user_id: friend.id, role: "owner" }]);
    const removed = ["password", "sessions", "api_keys", "passkeys", "totp", "identities", "teams"];
    expect(await audited("security.account_reclaimed", user)).toEqual([{ by, removed }]);
    expect(await audited("user.email_verified", user)).toEqual([{ by }]);
    expect((await mailTo(running.url, user.email, "Your account was made safe")).text).toContain("the password, log-ins, API keys");
    if (by !== "reset_password") expect(answer.body.user).toMatchObject({ id: user.id, emailVerified: true });
    else expect((await login({ ...user, password: another })).body.user.id).toBe(user.id);
  });

  test("for the second time: nothing is removed", async () => {
    const { user } = await prepared();
    await running.sql`update users set email_verified_at = now() where id = ${user.id}`;
    const answer = await proofs[by](user);
    expect([200, 204]).toContain(answer.status);
    expect(await left(user)).toEqual(everything);
    expect(await audited("security.account_reclaimed", user)).toEqual([]);
  });
});

describe.each(["magic_link", "reset_password"] as const)("by %s", (by) => {
  test("in a session of the account: nothing is removed but what it always ends", async () => {
    const { user } = await prepared();
    const answer = await proofs[by](user, bearer(user.token));
    expect(answer.status).toBe(by === "reset_password" ? 204 : 200);
    expect(await left(user)).toEqual(everything);
    expect(await audited("security.account_reclaimed", user)).toEqual([]);
    if (by === "magic_link") expect([await statusOf(user.token), (await login(user)).status]).toEqual([200, 200]);
  });

  test("from a network that the account was used from nothing is", async () => {
    const { user } = await prepared();
    await proofs[by](user, { "x-forwarded-for": "127.0.0.1" });
    expect(await left(user)).toEqual(everything);
    if (by === "magic_link") expect((await login(user)).status).toBe(200);
  });

  test("with a second factor nothing is: the mailbox alone does not open the account", async () => {
    const { user } = await prepared();
    await running.sql`update totp_credentials set confirmed_at = now() where user_id = ${user.id}`;
    const answer = await proofs[by](user);
    if (by === "magic_link") expectProblem(answer, "mfa_required");
    expect(await left(user)).toEqual(everything);
    expectProblem(
      await post("/v1/auth/login", { email: user.email, password: by === "magic_link" ? user.password : another }),
      "mfa_required",
    );
  });

  test("in a session with several users: the account need not be the active one", async () => {
    const { user } = await prepared();
    const friend = await signUp(running.url);
    const { email, password } = friend;
    const joined = await post("/v1/auth/session/users", { email, password }, bearer(user.token));
    await proofs[by](user, bearer(joined.body.accessToken));
    expect((await left(user))?.passkeys).toBe(1);
  });

  test.each<readonly [string, (made: Awaited<ReturnType<typeof prepared>>) => Record<string, string>]>([
    ["a session of somebody else", ({ friend }) => bearer(friend.token)],
    ["an API key of the account", ({ keys }) => ({ "x-api-key": keys[0] })],
    ["what is no token", () => bearer("nonsense")],
    ["its session's cookie on a page of another site", ({ user }) => ({ cookie: `__Host-keelson_access=${user.token}` })],
  ])("with %s it is removed", async (_, headers) => {
    const made = await prepared();
    await proofs[by](made.user, headers(made));
    expect(await left(made.user)).toEqual(nothing);
  });

  test("with its session's cookie on a page of ours nothing is", async () => {
    const { user } = await prepared();
    await proofs[by](user, { cookie: `__Host-keelson_access=${user.token}`, "sec-fetch-site": "same-origin" });
    expect((await left(user))?.passkeys).toBe(1);
  });
});

describe("the link that the sign-up has sent", () => {
  const subject = "Confirm your e-mail address";
  const verify = (body: object) => post("/v1/auth/email/verify", body);

  test("confirms the address and leaves all as it is, also without a session: people read mail on their phones", async () => {
    const { user } = await prepared();
    const answer = await verify({ token: await mailed(user, subject) });
    expect([answer.status, answer.body.user.emailVerified]).toEqual([200, true]);
    expect([await left(user), await statusOf(user.token)]).toEqual([everything, 200]);
  });

  test("its mail and its page say what to do for whom it is a surprise", async () => {
    const user = await signUp(running.url);
    expect((await mailTo(running.url, user.email, subject)).text).toMatch(
      /somebody asked for an account.*do not confirm.*"This was not me"/,
    );
    const { body } = await request(running.url, "/v1/auth/email/verify");
    expect(body).toContain(`name="disown">This was not me</button>`);
    expect((await request(running.url, "/v1/auth/magic-link/verify")).body).not.toContain("This was not me");
  });

  test("`disown` closes the account, which is erased, and the address is free", async () => {
    const { user, friend, shared, keys } = await prepared();
    const token = await mailed(user, subject);
    const answer = await verify({ token, disown: true });
    expect([answer.status, answer.body]).toEqual([204, ""]);
    expect(await statusOf(user.token)).toBe(401);
    for (const key of keys) expectProblem(await request(running.url, "/v1/teams", { token: key }), "invalid_token");
    await until("it is erased", async () => (await running.sql`select 1 from users where id = ${user.id}`).length === 0);
    expect(await left(user)).toEqual(nothing);
    const [owner] = await running.sql`select user_id from team_members where team_id = ${shared} and role = 'owner'`;
    expect(owner?.user_id).toBe(friend.id);
    expect(await audited("user.disowned", user)).toEqual([{}]);
    expectProblem(await verify({ token, disown: true }), "invalid_link");
    expect((await post("/v1/auth/signup", { email: user.email, password: another })).status).toBe(201);
  });

  test("`disown` comes too late once the address is verified, and the link is as it was", async () => {
    const user = await signUp(running.url);
    const token = await mailed(user, subject);
    await running.sql`update users set email_verified_at = now() where id = ${user.id}`;
    expectProblem(await verify({ token, disown: true }), "conflict");
    expect([await statusOf(user.token), (await verify({ token })).status]).toEqual([200, 200]);
  });

  test("`disown` does not end an administrator", async () => {
    const user = await signUp(running.url);
    const token = await mailed(user, subject);
    await running.sql`update users set role = 'admin' where id = ${user.id}`;
    expectProblem(await verify({ token, disown: true }), "conflict");
  });

  test.each<readonly [unknown]>([["yes"], [1], [null]])("disown: %j: 400", async (disown) => {
    expect(pointersOf(await verify({ token: "x", disown }))).toEqual(["/disown"]);
  });
});

test("the administrator that the operator has named is verified from the start: a log-in link removes nothing", async () => {
  const { body } = await post("/v1/auth/login", root);
  expect(body.user.emailVerified).toBe(true);
  await proofs.magic_link({ ...root, id: body.user.id, token: "", refreshToken: "" });
  expect((await post("/v1/auth/login", root)).status).toBe(200);
  expect((await mailsTo(running.url, root.email)).filter((mail) => mail.subject.includes("made safe"))).toEqual([]);
});
