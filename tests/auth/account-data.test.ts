import { afterAll, beforeAll, expect, test } from "bun:test";
import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { newId } from "../../app/platform/ids.ts";
import { openAuthAccountData } from "../../app/services/auth/account-data.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import * as schema from "../../db/schema/auth.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: DatabaseClient;
beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test" });
});
afterAll(() => database.close());

const tables = Object.values<unknown>(schema).flatMap((value) => (is(value, PgTable) ? [getTableName(value)] : []));

/** The tables of the service in which something of the user stands, in whatever column. */
async function tablesThatMention(...words: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const table of tables) {
    const mentions = database.sql.unsafe("t::text");
    const [row] = await database.sql`select 1 from ${database.sql(table)} as t where ${mentions} ~* ${words.join("|")} limit 1`;
    if (row) found.push(table);
  }
  return found.toSorted();
}

/** One of everything that the service keeps about somebody. */
async function withOneOfEach(): Promise<SignedInUser & { readonly teamId: string }> {
  const [user, friend] = [await signUp(running.url), await signUp(running.url)];
  const { sql } = database;
  const { id, email } = user;
  const teamId = (await request(running.url, "/v1/teams", { token: friend.token, body: { name: "Looms" } })).body.team.id;
  await sql`insert into team_members (team_id, user_id, role) values (${teamId}, ${id}, 'admin')`;
  await request(running.url, `/v1/teams/${teamId}/members`, { token: user.token, body: { email: "sent@example.com", role: "viewer" } });
  const other = (await request(running.url, "/v1/teams", { token: friend.token, body: { name: "Engines" } })).body.team.id;
  await request(running.url, `/v1/teams/${other}/members`, {
    token: friend.token,
    body: { email: email.toUpperCase().replace("EXAMPLE.COM", "example.com"), role: "viewer" },
  });
  await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "mine", scopes: ["tasks:read"] } });
  await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "the team's", scopes: ["tasks:read"], teamId } });
  await sql`insert into passkeys (id, user_id, credential_id, public_key, counter, name, backed_up)
    values (${newId("passkey")}, ${id}, ${`credential of ${id}`}, ${Buffer.from("public key bytes")}, 0, 'laptop', true)`;
  await sql`insert into totp_credentials (user_id, secret, confirmed_at) values (${id}, ${Buffer.from("sealed")}, '2026-01-02T03:04:05Z')`;
  await sql`insert into recovery_codes (user_id, hash) values (${id}, 'x')`;
  await sql`insert into identities (provider, subject, user_id, email) values ('acme', ${`subject of ${id}`}, ${id}, 'ada@acme.example')`;
  await sql`insert into password_history (user_id, hash) values (${id}, 'x')`;
  await sql`insert into login_failures (key, failures, last_failed_at) values (${`mfa:${id}`}, 1, now())`;
  await sql`insert into account_invitations (id, email, role, invited_by, expires_at) values
    (${newId("invitation")}, ${`guest-of-${id}@example.com`}, 'user', ${id}, now() + interval '1 day'),
    (${newId("invitation")}, ${email}, 'user', ${friend.id}, now() + interval '1 day')`;
  return { ...user, teamId };
}

test("the export lists all of it, and no secret", async () => {
  const user = await withOneOfEach();
  const data: unknown = JSON.parse(JSON.stringify(await openAuthAccountData(database.db).export(user.id)));
  expect(data).toMatchObject({
    user: { id: user.id, email: user.email },
    sessions: [{ userId: user.id }],
    passkeys: [{ name: "laptop", backedUp: true, lastUsedAt: null }],
    identities: [{ provider: "acme", subject: `subject of ${user.id}`, email: "ada@acme.example" }],
    totp: { enrolledAt: "2026-01-02T03:04:05.000Z" },
    apiKeys: [{ name: "mine", ownerId: user.id }],
    teams: [{ id: user.teamId, name: "Looms", role: "admin" }],
    teamInvitations: [{ email: "sent@example.com" }, { role: "viewer" }],
    invitations: [{ email: `guest-of-${user.id}@example.com`, invitedBy: user.id }],
  });
  const text = JSON.stringify(data);
  for (const secret of ["argon2", "sealed", "public key bytes", "Hash", "credentialId"]) expect(text).not.toContain(secret);
  for (const bytes of ["public key bytes", "sealed"]) expect(text).not.toContain(Buffer.from(bytes).toString("base64"));
});

test("of an account that has only itself the lists are empty", async () => {
  const { id } = await signUp(running.url);
  expect(await openAuthAccountData(database.db).export(id)).toMatchObject({
    passkeys: [],
    identities: [],
    totp: null,
    teams: [],
    invitations: [],
  });
});

test("after its erasure nothing in any table of the service mentions the account; others are as they were", async () => {
  const user = await withOneOfEach();
  expect(await tablesThatMention(user.id, user.email)).toEqual([
    "account_invitations",
    "api_keys",
    "identities",
    "login_failures",
    "one_time_tokens",
    "passkeys",
    "password_history",
    "recovery_codes",
    "session_users",
    "sessions",
    "team_invitations",
    "team_members",
    "totp_credentials",
    "users",
  ]);
  const [before] = await database.sql`select count(*)::int as users from users`;
  expect((await request(running.url, "/v1/me", { method: "DELETE", token: user.token })).status).toBe(202);
  await until("it is erased", async () => (await database.sql`select 1 from users where id = ${user.id}`).length === 0);
  expect(await tablesThatMention(user.id, user.email)).toEqual([]);
  const [after] = await database.sql`select count(*)::int as users from users`;
  expect(after?.users).toBe(before?.users - 1);
  const kept = await database.sql`select action from audit_log where subject = ${user.id} and action in ('user.deleted', 'user.erased')`;
  expect(kept).toHaveLength(2);
  expect(await database.sql`select 1 from audit_log where data::text like ${`%${user.email}%`}`).toHaveLength(0);
});
