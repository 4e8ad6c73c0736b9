import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { mailsTo } from "./mailbox.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const password = "correct horse battery staple";
const freshEmail = () => `${randomToken(9)}@example.com`;
const lure = "Visit http://evil.example/claim";

describe("a person's name", () => {
  test.each(["\u202egnp.exe", "two\r\nBcc: eve@example.com", "zero\u200bwidth"])("%j: 400 at sign-up and later", async (name) => {
    expect(pointersOf(await request(running.url, "/v1/auth/signup", { body: { email: freshEmail(), password, name } }))).toEqual(["/name"]);
    const { token } = await signUp(running.url);
    expect(pointersOf(await request(running.url, "/v1/me", { method: "PATCH", body: { name }, token }))).toEqual(["/name"]);
  });

  test("is in no mail to an address that is not verified, and in those after", async () => {
    const email = freshEmail();
    await request(running.url, "/v1/auth/signup", { body: { email, password, name: lure } });
    for (const path of ["/v1/auth/password/forgot", "/v1/auth/magic-link"]) await request(running.url, path, { body: { email } });
    const mails = await until("three mails are there", async () => {
      const sent = await mailsTo(running.url, email);
      return sent.length === 3 && sent;
    });
    expect(mails.filter((mail) => JSON.stringify(mail).includes("evil"))).toEqual([]);
    await database`update users set email_verified_at = now(), name = 'Ada' where email = ${email}`;
    await database`update one_time_tokens set created_at = created_at - interval '2 minutes'`;
    await request(running.url, "/v1/auth/magic-link", { body: { email } });
    const next = await until("one more is there", async () => (await mailsTo(running.url, email)).find(({ text }) => text.includes("Ada")));
    expect(next.text).toStartWith("Hello Ada,");
  });
});

describe("an invitation", () => {
  const inviteAs = async (by: SignedInUser, name: string) => {
    const { body } = await request(running.url, "/v1/teams", { body: { name }, token: by.token });
    const email = freshEmail();
    await request(running.url, `/v1/teams/${body.team.id}/members`, { body: { email, role: "member" }, token: by.token });
    return until("the mail is there", async () => (await mailsTo(running.url, email))[0]);
  };

  test("quotes the team's name, and nothing in it is a link", async () => {
    const mail = await inviteAs(await signUp(running.url), "FREE MONEY https://evil.example/x www.evil.example");
    const quoted = '"FREE MONEY https: / / evil. example/ x www. evil. example"';
    expect(mail.subject).toBe(`Invitation to the team ${quoted}`);
    expect(mail.text).toContain(`the team ${quoted} as member.`);
    expect(`${mail.subject} ${mail.text}`).not.toMatch(/:\/\/|evil\.example/);
  });

  test("names the inviter by an address that is verified, or not at all", async () => {
    const ada = await signUp(running.url);
    expect((await inviteAs(ada, "Engines")).text).toContain('\n\nSomebody invites you to the team "Engines"');
    await database`update users set email_verified_at = now() where id = ${ada.id}`;
    expect((await inviteAs(ada, "Engines")).text).toContain(`\n\n${ada.email} invites you`);
  });
});
