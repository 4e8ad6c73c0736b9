import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { systemNow } from "../../app/platform/clock.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { openAuthAccountData } from "../../app/services/auth/account-data.ts";
import { createKeyAuthority } from "../../app/services/auth/api-keys/authority.ts";
import { createApiKeyStore } from "../../app/services/auth/api-keys/store.ts";
import { createEraseUserHandler } from "../../app/services/auth/handlers.ts";
import { hashToken } from "../../app/services/auth/one-time-tokens.ts";
import { createAuthStore } from "../../app/services/auth/store.ts";
import { createLeaveTeams } from "../../app/services/auth/teams/leave-all.ts";
import { createTeamStore } from "../../app/services/auth/teams/store.ts";
import { openDatabase } from "../../db/client.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

type Role = "owner" | "admin" | "member" | "viewer";
const send = (method: string, path: string, token: string, body?: unknown) => request(running.url, path, { method, token, body });
const get = (path: string, token: string) => send("GET", path, token);

async function found(owner: SignedInUser): Promise<string> {
  const answer = await send("POST", "/v1/teams", owner.token, { name: "Analytical engines" });
  expect([answer.status, answer.body.team.role]).toEqual([201, "owner"]);
  return answer.body.team.id;
}

const invite = (by: SignedInUser, team: string, to: { readonly email: string; readonly role?: string }) =>
  send("POST", `/v1/teams/${team}/members`, by.token, { email: to.email, role: to.role ?? "member" });
/** As if the last mails had been sent a while ago. */
const aMinutePasses = () => database`delete from limiter_windows where policy = 'invitation-address'`;
const accept = (user: SignedInUser, token: string) => send("POST", "/v1/teams/invitations/accept", user.token, { token });

/** From the mail, where alone it is. */
const codeFor = (email: string, except?: string) =>
  until("the mail is there", async () => {
    const { body } = await request(running.url, "/dev/mail.json");
    const mails: { readonly to: string; readonly text: string }[] = body.data;
    const codes = mails.filter(({ to }) => to === email).map(({ text }) => /^[\w-]{43}$/m.exec(text)?.[0]);
    return codes.find((code) => code !== undefined && code !== except);
  });

async function join(owner: SignedInUser, team: string, role: Role): Promise<SignedInUser> {
  const user = await signUp(running.url);
  expect((await invite(owner, team, { email: user.email, role })).status).toBe(202);
  expect((await accept(user, await codeFor(user.email))).body.team.role).toBe(role);
  return user;
}

/** Without mails, for tests that are about something else. */
async function put(team: string, role: Role): Promise<SignedInUser> {
  const user = await signUp(running.url);
  await database`insert into team_members (team_id, user_id, role) values (${team}, ${user.id}, ${role})`;
  return user;
}

const rolesIn = async (team: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await database`select user_id, role from team_members where team_id = ${team}`).map(({ user_id, role }) => [user_id, role]),
  );

describe("invitations", () => {
  test("a mail, a code, a member", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    const invited = await invite(ada, team, { email: bob.email, role: "viewer" });
    expect(invited.body.invitation).toMatchObject({ email: bob.email, role: "viewer" });
    const days = (Date.parse(invited.body.invitation.expiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(7, 2);
    expect((await get(`/v1/teams/${team}/invitations`, ada.token)).body.data).toEqual([invited.body.invitation]);
    expectProblem(await get(`/v1/teams/${team}`, bob.token), "not_found");
    const joined = await accept(bob, await codeFor(bob.email));
    expect([joined.status, joined.body.team]).toEqual([200, expect.objectContaining({ id: team, role: "viewer" })]);
    expect((await get(`/v1/teams/${team}/invitations`, ada.token)).body.data).toEqual([]);
    expect(await rolesIn(team)).toEqual({ [ada.id]: "owner", [bob.id]: "viewer" });
    const audit = await database`select action from audit_log where subject = ${team} order by at, id`;
    expect(audit.map(({ action }) => action)).toEqual(["team.created", "team.invitation_sent", "team.member_joined"]);
  });

  test("the answer tells nothing of accounts", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    const shape = ({ status, body }: Awaited<ReturnType<typeof invite>>) => [
      status,
      Object.keys(body.invitation).sort(),
      body.invitation.role,
    ];
    const [known, unknown] = [await invite(ada, team, bob), await invite(ada, team, { email: `${randomToken(9)}@example.com` })];
    expect(shape(known)).toEqual(shape(unknown));
  });

  test("the code is stored as a digest, and is in no event", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    await invite(ada, await found(ada), bob);
    const code = await codeFor(bob.email);
    const rows = await database`select row_to_json(i)::text as row from team_invitations i union all select payload::text from outbox
      union all select data::text from audit_log`;
    expect(rows.some(({ row }) => row.includes(hashToken(code)))).toBe(true);
    expect(rows.filter(({ row }) => row.includes(code))).toEqual([]);
  });

  test("is for the account with that address alone, in any spelling", async () => {
    const [ada, bob, eve] = [await signUp(running.url), await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    await invite(ada, team, { email: bob.email.toUpperCase() });
    const code = await codeFor(bob.email.toUpperCase());
    expectProblem(await accept(eve, code), "not_found");
    expect((await accept(bob, code)).status).toBe(200);
  });

  test("works once, also at once", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    await invite(ada, await found(ada), bob);
    const code = await codeFor(bob.email);
    const answers = await Promise.all(Array.from({ length: 5 }, () => accept(bob, code)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 404, 404, 404, 404]);
  });

  test("a second one replaces the first; a withdrawn, an expired and an invented one open nothing", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    await invite(ada, team, bob);
    const first = await codeFor(bob.email);
    await aMinutePasses();
    const again = await invite(ada, team, bob);
    const second = await codeFor(bob.email, first);
    expectProblem(await accept(bob, first), "not_found");
    await database`update team_invitations set expires_at = now() - interval '1 second' where team_id = ${team}`;
    expectProblem(await accept(bob, second), "not_found");
    await database`update team_invitations set expires_at = now() + interval '1 day' where team_id = ${team}`;
    expect((await send("DELETE", `/v1/teams/${team}/invitations/${again.body.invitation.id}`, ada.token)).status).toBe(204);
    expectProblem(await accept(bob, second), "not_found");
    expectProblem(await accept(bob, randomToken(32)), "not_found");
    expect(await rolesIn(team)).toEqual({ [ada.id]: "owner" });
  });

  test("those of a member who goes, go too", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    const helper = await put(team, "admin");
    await invite(helper, team, bob);
    const code = await codeFor(bob.email);
    await send("DELETE", `/v1/teams/${team}/members/${helper.id}`, ada.token);
    expectProblem(await accept(bob, code), "not_found");
  });

  test("who is in the team already is not invited", async () => {
    const ada = await signUp(running.url);
    const team = await found(ada);
    expectProblem(await invite(ada, team, await join(ada, team, "member")), "conflict");
  });
});

describe("invitations are no mail cannon", () => {
  test("one mail a minute from a team to an address, at once, in any spelling and after a withdrawal", async () => {
    const ada = await signUp(running.url);
    const [team, other] = [await found(ada), await found(ada)];
    const email = `${randomToken(9)}@example.com`;
    const answers = await Promise.all(Array.from({ length: 12 }, () => invite(ada, team, { email })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, ...Array(11).fill(429)]);
    const sent = answers.find(({ status }) => status === 202)?.body.invitation;
    await send("DELETE", `/v1/teams/${team}/invitations/${sent.id}`, ada.token);
    const again = await invite(ada, team, { email: email.toUpperCase() });
    expectProblem(again, "rate_limited");
    expect(Number(again.headers.get("retry-after"))).toBeWithin(1, 61);
    expect((await invite(ada, other, { email })).status).toBe(202);
    await aMinutePasses();
    expect((await invite(ada, team, { email })).status).toBe(202);
  });

  test("fifty a day from a user, in all teams and whatever is withdrawn", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const [team, other] = [await found(ada), await found(ada)];
    await database`insert into team_members (team_id, user_id, role) values (${team}, ${bob.id}, 'admin')`;
    for (let n = 0; n < 50; n += 1) {
      const sent = await invite(ada, team, { email: `${randomToken(9)}@example.com` });
      expect(sent.status).toBe(202);
      await send("DELETE", `/v1/teams/${team}/invitations/${sent.body.invitation.id}`, ada.token);
    }
    for (const id of [team, other]) {
      const refused = await invite(ada, id, { email: `${randomToken(9)}@example.com` });
      expectProblem(refused, "rate_limited");
      expect(Number(refused.headers.get("retry-after"))).toBeWithin(86_000, 86_401);
    }
    expect((await invite(bob, team, { email: `${randomToken(9)}@example.com` })).status).toBe(202);
  }, 60_000);

  test("what is refused for another reason counts for nothing", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const team = await found(ada);
    const helper = await put(team, "admin");
    expectProblem(await invite(helper, team, { email: bob.email, role: "admin" }), "forbidden");
    expect((await invite(helper, team, bob)).status).toBe(202);
  });
});

describe("who may do what", () => {
  let team: string;
  let people: Record<string, SignedInUser>;
  beforeAll(async () => {
    const owner = await signUp(running.url);
    team = await found(owner);
    people = {
      owner,
      admin: await put(team, "admin"),
      admin2: await put(team, "admin"),
      member: await put(team, "member"),
      member2: await put(team, "member"),
      viewer: await put(team, "viewer"),
      stranger: await signUp(running.url),
    };
  });
  const who = (name: string): SignedInUser => {
    const user = people[name];
    if (!user) throw new Error(`nobody is ${name}`);
    return user;
  };

  test.each<readonly [string, string, Record<string, number>]>([
    ["GET", "", { owner: 200, admin: 200, member: 200, viewer: 200, stranger: 404 }],
    ["GET", "/members", { owner: 200, admin: 200, member: 200, viewer: 200, stranger: 404 }],
    ["GET", "/members/:member", { owner: 200, viewer: 200, stranger: 404 }],
    ["GET", "/members/:stranger", { owner: 404, viewer: 404 }],
    ["GET", "/invitations", { owner: 200, admin: 200, member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "/invitations/inv_0", { owner: 404, admin: 404, member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "", { admin: 403, member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "/members/:owner", { owner: 409, admin: 403, member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "/members/:admin2", { admin: 403, member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "/members/:member2", { member: 403, viewer: 403, stranger: 404 }],
    ["DELETE", "/members/:stranger", { owner: 404, admin: 404, stranger: 404 }],
  ])("%s /v1/teams/:id%s: %j", async (method, suffix, expected) => {
    const path = `/v1/teams/${team}${suffix.replace(/:(\w+)/, (_, name) => who(name).id)}`;
    for (const [name, status] of Object.entries(expected))
      expect([name, (await send(method, path, who(name).token)).status]).toEqual([name, status]);
  });

  test.each<readonly [string, string, Record<string, number>]>([
    ["member2", "viewer", { owner: 200, admin: 200, member: 403, viewer: 403, stranger: 404 }],
    ["member2", "admin", { admin: 403, member: 403 }],
    ["member2", "owner", { admin: 403, member: 403, viewer: 403, stranger: 404 }],
    ["admin2", "viewer", { admin: 403, member: 403, stranger: 404 }],
    ["owner", "member", { owner: 409, admin: 403, viewer: 403, stranger: 404 }],
    ["viewer", "member", { viewer: 403 }],
    ["admin", "owner", { admin: 403 }],
    ["stranger", "member", { owner: 404, admin: 404 }],
  ])("%s becomes %s: %j", async (target, role, expected) => {
    for (const [name, status] of Object.entries(expected)) {
      const answer = await send("PATCH", `/v1/teams/${team}/members/${who(target).id}`, who(name).token, { role });
      expect([name, answer.status]).toEqual([name, status]);
    }
  });

  test.each<readonly [string, Record<string, number>]>([
    ["admin", { admin: 403, member: 403, viewer: 403, stranger: 404 }],
    ["member", { owner: 202, admin: 202, member: 403, viewer: 403, stranger: 404 }],
    ["viewer", { owner: 202, admin: 202, member: 403, viewer: 403, stranger: 404 }],
  ])("inviting as %s: %j", async (role, expected) => {
    for (const [name, status] of Object.entries(expected))
      expect([name, (await invite(who(name), team, { email: `${randomToken(9)}@example.com`, role })).status]).toEqual([name, status]);
  });

  test("renaming", async () => {
    for (const [name, status] of Object.entries({ owner: 200, admin: 200, member: 403, viewer: 403, stranger: 404 }))
      expect([name, (await send("PATCH", `/v1/teams/${team}`, who(name).token, { name: "Other engines" })).status]).toEqual([name, status]);
  });

  test("nothing of that made another owner", async () => {
    const roles = await rolesIn(team);
    expect(Object.entries(roles).filter(([, role]) => role === "owner")).toEqual([[who("owner").id, "owner"]]);
  });
});

describe("fields the caller may not set", () => {
  test.each<readonly [string, string, object, string]>([
    ["POST", "/v1/teams", { name: "x", id: "team_1" }, "/id"],
    ["POST", "/v1/teams", { name: "x", ownerId: "usr_1" }, "/ownerId"],
    ["POST", "/v1/teams", { name: "x", role: "owner" }, "/role"],
    ["POST", "/v1/teams", { name: "two\nlines" }, "/name"],
    ["PATCH", "/v1/teams/team_0", { name: "x", ownerId: "usr_1" }, "/ownerId"],
    ["POST", "/v1/teams/team_0/members", { email: "a@example.com", role: "owner" }, "/role"],
    ["POST", "/v1/teams/team_0/members", { email: "a@example.com", role: "member", userId: "usr_1" }, "/userId"],
    ["PATCH", "/v1/teams/team_0/members/usr_0", { role: "root" }, "/role"],
    ["PATCH", "/v1/teams/team_0/members/usr_0", { role: "member", teamId: "team_1" }, "/teamId"],
    ["POST", "/v1/teams/invitations/accept", { token: "x", userId: "usr_1" }, "/userId"],
  ])("%s %s %j: 400", async (method, path, body, pointer) => {
    expect(pointersOf(await send(method, path, (await signUp(running.url)).token, body))).toEqual([pointer]);
  });
});

describe("the owner", () => {
  test("hands the team over, and is an admin then", async () => {
    const ada = await signUp(running.url);
    const team = await found(ada);
    const bob = await put(team, "viewer");
    expect((await send("PATCH", `/v1/teams/${team}/members/${bob.id}`, ada.token, { role: "owner" })).body.member.role).toBe("owner");
    expect(await rolesIn(team)).toEqual({ [ada.id]: "admin", [bob.id]: "owner" });
    expect((await send("DELETE", `/v1/teams/${team}/members/${ada.id}`, ada.token)).status).toBe(204);
    expectProblem(await get(`/v1/teams/${team}`, ada.token), "not_found");
  });

  test("to many at once: one of them owns it then", async () => {
    const ada = await signUp(running.url);
    const team = await found(ada);
    const heirs = await Promise.all(Array.from({ length: 4 }, () => put(team, "member")));
    const tries = await Promise.all(heirs.map(({ id }) => send("PATCH", `/v1/teams/${team}/members/${id}`, ada.token, { role: "owner" })));
    expect(tries.map(({ status }) => status).toSorted()).toEqual([200, 403, 403, 403]);
    expect(Object.values(await rolesIn(team)).filter((role) => role === "owner")).toHaveLength(1);
  });

  test("handing over while the heir leaves: there is an owner either way", async () => {
    for (let round = 0; round < 5; round += 1) {
      const ada = await signUp(running.url);
      const team = await found(ada);
      const bob = await put(team, "member");
      await Promise.all([
        send("PATCH", `/v1/teams/${team}/members/${bob.id}`, ada.token, { role: "owner" }),
        send("DELETE", `/v1/teams/${team}/members/${bob.id}`, bob.token),
      ]);
      expect(Object.values(await rolesIn(team)).filter((role) => role === "owner")).toHaveLength(1);
    }
  });

  test("not to a disabled account, nor to one that is being closed", async () => {
    const ada = await signUp(running.url);
    const team = await found(ada);
    const [disabled, closed] = [await put(team, "admin"), await put(team, "admin")];
    await database`update users set disabled_at = now() where id in (${disabled.id}, ${closed.id})`;
    for (const { id } of [disabled, closed])
      expectProblem(await send("PATCH", `/v1/teams/${team}/members/${id}`, ada.token, { role: "owner" }), "conflict");
    expect((await rolesIn(team))[ada.id]).toBe("owner");
  });

  test("handing over while the heir closes the account: whoever owns it then has one", async () => {
    for (let round = 0; round < 8; round += 1) {
      const ada = await signUp(running.url);
      const team = await found(ada);
      const heir = await put(team, "admin");
      const [handed, closed] = await Promise.all([
        send("PATCH", `/v1/teams/${team}/members/${heir.id}`, ada.token, { role: "owner" }),
        send("DELETE", "/v1/me", heir.token),
      ]);
      expect([handed.status, closed.status]).toBeOneOf([
        [200, 409],
        [409, 202],
        [404, 202],
      ]);
      expect((await rolesIn(team))[closed.status === 202 ? ada.id : heir.id]).toBe("owner");
    }
  });

  test("founding one while closing the account leaves no team without an owner", async () => {
    for (let round = 0; round < 8; round += 1) {
      const ada = await signUp(running.url);
      const [made, closed] = await Promise.all([
        send("POST", "/v1/teams", ada.token, { name: "Late" }),
        send("DELETE", "/v1/me", ada.token),
      ]);
      expect([made.status, closed.status]).not.toEqual([201, 202]);
    }
  });

  test("whose account is erased leaves it to the longest-standing of the highest, and one without others goes", async () => {
    const ada = await signUp(running.url);
    const [team, alone] = [await found(ada), await found(ada)];
    const [away, first] = [await put(team, "admin"), await put(team, "admin")];
    await put(team, "admin");
    await put(team, "member");
    await database`update users set disabled_at = now() where id in (${ada.id}, ${away.id})`;
    const client = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test" });
    const { db } = client;
    const transact = createTransact({ db, now: systemNow, wake: () => undefined });
    const keys = createKeyAuthority({ store: createApiKeyStore(db), revocations: { learn: () => undefined }, now: systemNow });
    const leaveTeams = createLeaveTeams({ store: createTeamStore(db), keys });
    const erase = createEraseUserHandler({ store: createAuthStore(db), leaveTeams, accountData: [openAuthAccountData(db)], transact });
    await erase({ userId: ada.id }, {} as never);
    await client.close();
    expect((await rolesIn(team))[first.id]).toBe("owner");
    expect(await database`select 1 from teams where id = ${alone}`).toHaveLength(0);
  });

  test("deletes the team", async () => {
    const ada = await signUp(running.url);
    const team = await found(ada);
    const bob = await put(team, "member");
    expect((await send("DELETE", `/v1/teams/${team}`, ada.token)).status).toBe(204);
    for (const { token } of [ada, bob]) expectProblem(await get(`/v1/teams/${team}`, token), "not_found");
    expect((await get("/v1/teams", bob.token)).body).toEqual({ data: [], nextCursor: null });
  });
});

test("pages of teams and of members hold everything once", async () => {
  const ada = await signUp(running.url);
  const made: string[] = [];
  for (let n = 0; n < 5; n += 1) made.push(await found(ada));
  const [team = ""] = made;
  const ids = [ada.id, ...(await Promise.all(Array.from({ length: 4 }, () => put(team, "member")))).map(({ id }) => id)];
  const pageThrough = async (path: string, name: string) => {
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body } = await get(`${path}?limit=2${cursor ? `&cursor=${cursor}` : ""}`, ada.token);
      seen.push(...body.data.map((it: Record<string, string>) => it[name]));
      cursor = body.nextCursor;
    }
    return seen;
  };
  expect(await pageThrough("/v1/teams", "id")).toEqual(made);
  expect((await pageThrough(`/v1/teams/${team}/members`, "userId")).toSorted()).toEqual(ids.toSorted());
});
