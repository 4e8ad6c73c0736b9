import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { mailsTo, mailTo, tokenIn } from "./mailbox.ts";

const root = { email: "root@example.com", password: "correct horse battery staple" };
const settings = { KEELSON_ADMIN_EMAIL: root.email, KEELSON_ADMIN_PASSWORD: root.password, KEELSON_LOGIN_LIMIT_PER_MINUTE: "100000" };
const password = "quartz vexing jumbled sphinx";
const subject = "You are invited to sign up";
const freshEmail = () => `${randomToken(9)}@example.com`;

/** A copy with that `KEELSON_SIGNUP`, and what its administrator and its guests do there. */
function copyWith(signup: string) {
  const running = sharedCopy("postgres", { ...settings, KEELSON_SIGNUP: signup });
  let database: postgres.Sql;
  let token: string;
  beforeAll(async () => {
    database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    token = (await request(running.url, "/v1/auth/login", { body: root })).body.accessToken;
  });
  afterAll(() => database.end());
  const invite = (body: object, as = token) => request(running.url, "/v1/invitations", { token: as, body });
  return {
    invite,
    get database() {
      return database;
    },
    get url() {
      return running.url;
    },
    list: async () => (await request(running.url, "/v1/invitations", { token })).body.data,
    withdraw: (id: string) => request(running.url, `/v1/invitations/${id}`, { method: "DELETE", token }),
    signUp: (body: object): Promise<Answer> => request(running.url, "/v1/auth/signup", { body: { password, ...body } }),
    invited: async (more: object = {}) => {
      const email = freshEmail();
      const { id } = (await invite({ email, ...more })).body.invitation;
      return { email, id, invitation: tokenIn(await mailTo(running.url, email, subject)) };
    },
  };
}

describe("KEELSON_SIGNUP=invite", () => {
  const copy = copyWith("invite");

  test("an invitation opens an account: verified, with its role and name, and is used up by that", async () => {
    const { email, id, invitation } = await copy.invited({ role: "admin", name: "Ada" });
    const answer = await copy.signUp({ email: email.toUpperCase().replace("EXAMPLE.COM", "example.com"), invitation });
    expect([answer.status, answer.body.user]).toMatchObject([201, { role: "admin", name: "Ada", emailVerified: true }]);
    expect((await request(copy.url, "/v1/users", { token: answer.body.accessToken })).status).toBe(200);
    expectProblem(await copy.signUp({ email: freshEmail(), invitation }), "signup_closed");
    expect(await copy.list()).toEqual([]);
    expect((await mailsTo(copy.url, answer.body.user.email)).filter((mail) => mail.subject.startsWith("Confirm"))).toEqual([]);
    const acts = await copy.database`select action, data from audit_log where subject in (${id}, ${answer.body.user.id}) order by at, id`;
    expect(acts.map(({ action }) => action)).toEqual([
      "invitation.sent",
      "user.signed_up",
      "user.email_verified",
      "invitation.accepted",
      "user.logged_in",
    ]);
    expect(acts[3]?.data).toEqual({ userId: answer.body.user.id, role: "admin" });
  });

  test("without a role it is a user's; the name of the sign-up counts", async () => {
    const { email, invitation } = await copy.invited({ name: "Ada" });
    const { body } = await copy.signUp({ email, invitation, name: "Countess" });
    expect(body.user).toMatchObject({ role: "user", name: "Countess" });
  });

  test("of many sign-ups with one invitation at once one succeeds", async () => {
    const { email, invitation } = await copy.invited();
    const answers = await Promise.all(Array.from({ length: 6 }, () => copy.signUp({ email, invitation })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await copy.database`select 1 from users where email = ${email}`).toHaveLength(1);
  });

  test("refused alike: none, an invented one, another address, a withdrawn or late one, that of a former administrator", async () => {
    const refused = async (body: object) => {
      expectProblem(await copy.signUp(body), "signup_closed");
    };
    const good = await copy.invited();
    await refused({ email: good.email });
    await refused({ email: good.email, invitation: randomToken(32) });
    await refused({ email: good.email, invitation: "" });
    await refused({ email: freshEmail(), invitation: good.invitation });

    const withdrawn = await copy.invited();
    expect((await copy.withdraw(withdrawn.id)).status).toBe(204);
    expectProblem(await copy.withdraw(withdrawn.id), "not_found");
    await refused({ email: withdrawn.email, invitation: withdrawn.invitation });

    const late = await copy.invited();
    await copy.database`update account_invitations set expires_at = now() where id = ${late.id}`;
    await refused({ email: late.email, invitation: late.invitation });

    const boss = await copy.invited({ role: "admin" });
    const { accessToken } = (await copy.signUp({ email: boss.email, invitation: boss.invitation })).body;
    const email = freshEmail();
    await copy.invite({ email }, accessToken);
    const invitation = tokenIn(await mailTo(copy.url, email, subject));
    await copy.database`update users set role = 'user' where email = ${boss.email}`;
    await refused({ email, invitation });

    expect((await copy.signUp({ email: good.email, invitation: good.invitation })).status).toBe(201);
  });

  test("a weak password does not use it up", async () => {
    const { email, invitation } = await copy.invited();
    expectProblem(await copy.signUp({ email, invitation, password: "password1" }), "weak_password");
    expect((await copy.signUp({ email, invitation })).status).toBe(201);
  });

  test("the newest to an address counts, whatever its case", async () => {
    const first = await copy.invited();
    await copy.invite({ email: first.email.toUpperCase().replace("EXAMPLE.COM", "example.com") });
    expectProblem(await copy.signUp({ email: first.email, invitation: first.invitation }), "signup_closed");
    expect((await copy.list()).filter(({ email }: { email: string }) => email.toLowerCase() === first.email.toLowerCase())).toHaveLength(1);
  });

  test("many to one address at once leave one", async () => {
    const email = freshEmail();
    const answers = await Promise.all(Array.from({ length: 6 }, () => copy.invite({ email })));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 201]);
    expect(await copy.database`select 1 from account_invitations where email = ${email}`).toHaveLength(1);
  });

  test("the token is in the mail alone, as a digest in the database, for seven days", async () => {
    const { id, invitation } = await copy.invited();
    const [row] = await copy.database`select
      (select count(*)::int from one_time_tokens where hash = ${invitation} or data::text like ${`%${invitation}%`}) as tokens,
      (select count(*)::int from outbox where payload::text like ${`%${invitation}%`}) as outbox,
      (select count(*)::int from audit_log where data::text like ${`%${invitation}%`}) as audit,
      (select extract(epoch from expires_at - created_at)::int from one_time_tokens where data->>'invitationId' = ${id}) as seconds`;
    expect(row).toEqual({ tokens: 0, outbox: 0, audit: 0, seconds: 604_800 });
    expect(JSON.stringify(await copy.list())).not.toContain(invitation);
  });

  test("an address that has an account: email_taken", async () => {
    expectProblem(await copy.invite({ email: root.email }), "email_taken");
  });

  test("the list goes page by page", async () => {
    const ids = [(await copy.invited()).id, (await copy.invited()).id];
    const { accessToken: token } = (await request(copy.url, "/v1/auth/login", { body: root })).body;
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: Answer = await request(copy.url, `/v1/invitations?limit=1${cursor ? `&cursor=${cursor}` : ""}`, { token });
      seen.push(...page.body.data.map(({ id }: { id: string }) => id));
      cursor = page.body.nextCursor;
    }
    expect(seen).toEqual(seen.toSorted());
    for (const id of ids) expect(seen).toContain(id);
  });

  test("the mail's link leads to a page that stands alone and sends the token as `invitation`", async () => {
    const { email, invitation } = await copy.invited();
    expect((await mailTo(copy.url, email, subject)).text).toContain(`/v1/auth/signup?token=${invitation}`);
    const page = await request(copy.url, `/v1/auth/signup?token=${invitation}`);
    expect([page.status, page.headers.get("content-type"), page.headers.get("cache-control")]).toEqual([
      200,
      "text/html; charset=utf-8",
      "no-store",
    ]);
    expect(page.body).not.toMatch(/https?:\/\/|src=|href=/);
    expect(page.body).toContain("invitation: token");
    expect(page.body).not.toContain(invitation);
  });

  test.each<readonly [object, readonly string[]]>([
    [{}, ["/email"]],
    [{ email: "ada" }, ["/email"]],
    [{ email: "a@example.com\r\nbcc: eve@example.com" }, ["/email"]],
    [{ email: "a@example.com", role: "owner" }, ["/role"]],
    [{ email: "a@example.com", name: "" }, ["/name"]],
    [{ email: "a@example.com", token: "x" }, ["/token"]],
    [{ email: "a@example.com", invitedBy: "usr_1" }, ["/invitedBy"]],
  ])("%j: 400", async (body, pointers) => {
    expect(pointersOf(await copy.invite(body))).toEqual([...pointers]);
  });
});

describe("KEELSON_SIGNUP=open", () => {
  const copy = copyWith("open");

  test("an invitation works too, a bad one is said to be one", async () => {
    const { email, invitation } = await copy.invited({ role: "admin" });
    expectProblem(await copy.signUp({ email, invitation: randomToken(32) }), "invalid_link");
    expectProblem(await copy.signUp({ email: freshEmail(), invitation }), "invalid_link");
    const { body } = await copy.signUp({ email, invitation });
    expect([body.user.role, body.user.emailVerified]).toEqual(["admin", true]);
  });

  test("who is no administrator neither invites nor sees invitations: 403", async () => {
    const [eve, { id }] = [await signUp(copy.url), await copy.invited()];
    expectProblem(await copy.invite({ email: freshEmail(), role: "admin" }, eve.token), "forbidden");
    expectProblem(await request(copy.url, "/v1/invitations", { token: eve.token }), "forbidden");
    expectProblem(await request(copy.url, `/v1/invitations/${id}`, { method: "DELETE", token: eve.token }), "forbidden");
  });

  test("an administrator's key may look, and not invite: a stolen one must not become an account", async () => {
    const { accessToken: token } = (await request(copy.url, "/v1/auth/login", { body: root })).body;
    const { key } = (await request(copy.url, "/v1/api-keys", { token, body: { name: "ops", scopes: ["admin"] } })).body;
    expect((await request(copy.url, "/v1/invitations", { token: key })).status).toBe(200);
    expectProblem(await copy.invite({ email: freshEmail() }, key), "insufficient_scope");
  });
});

describe("KEELSON_SIGNUP=closed", () => {
  const copy = copyWith("closed");

  test("an invitation opens nothing", async () => {
    const { email, invitation } = await copy.invited();
    expectProblem(await copy.signUp({ email, invitation }), "signup_closed");
  });
});
