import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { mailsTo, mailTo, tokenIn } from "./mailbox.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 2 });
});
afterAll(() => database.end());

const another = "quartz vexing jumbled sphinx";
const freshEmail = () => `${randomToken(9)}@example.com`;
const post = (path: string, body: unknown, token?: string): Promise<Answer> =>
  request(running.url, path, { body, ...(token ? { token } : {}) });
const login = (email: string, password: string) => post("/v1/auth/login", { email, password });
const sessionStatus = async (token: string) => (await request(running.url, "/v1/auth/session", { token })).status;
const mailed = async (email: string, subject: string) => tokenIn(await mailTo(running.url, email, subject));

/** The three kinds of link: how to ask for one and what using it up looks like. */
const links = {
  verify_email: {
    subject: "Confirm your e-mail address",
    ask: async () => undefined,
    use: (token: unknown) => post("/v1/auth/email/verify", { token }),
    done: 200,
    page: "/v1/auth/email/verify",
  },
  reset_password: {
    subject: "Choose a new password",
    ask: ({ email }: SignedInUser) => post("/v1/auth/password/forgot", { email }),
    use: (token: unknown) => post("/v1/auth/password/reset", { token, newPassword: another }),
    done: 204,
    page: "/v1/auth/password/reset",
  },
  magic_link: {
    subject: "Your log-in link",
    ask: ({ email }: SignedInUser) => post("/v1/auth/magic-link", { email }),
    use: (token: unknown) => post("/v1/auth/magic-link/verify", { token }),
    done: 200,
    page: "/v1/auth/magic-link/verify",
  },
} as const;
type Purpose = keyof typeof links;
const purposes: readonly Purpose[] = ["verify_email", "reset_password", "magic_link"];

async function userWithLink(purpose: Purpose): Promise<SignedInUser & { readonly link: string }> {
  const user = await signUp(running.url);
  await links[purpose].ask(user);
  return { ...user, link: await mailed(user.email, links[purpose].subject) };
}

describe.each(purposes)("a link of the kind %s", (purpose) => {
  const { use, done, page, subject } = links[purpose];

  test("works once, also for many at once, and takes the address as verified", async () => {
    const user = await userWithLink(purpose);
    const answers = await Promise.all(Array.from({ length: 8 }, () => use(user.link)));
    expect(answers.filter(({ status }) => status === done)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== done) expectProblem(answer, "invalid_link");
    expectProblem(await use(user.link), "invalid_link");
    const [row] = await database`select email_verified_at from users where id = ${user.id}`;
    expect(row?.email_verified_at).toBeInstanceOf(Date);
    const audited = await database`select data from audit_log where action = 'user.email_verified' and subject = ${user.id}`;
    expect([...audited]).toEqual([{ data: { by: purpose } }]);
  });

  test("is of use for nothing else", async () => {
    const user = await userWithLink(purpose);
    for (const other of purposes) if (other !== purpose) expectProblem(await links[other].use(user.link), "invalid_link");
    expectProblem(await post("/v1/auth/refresh", { refreshToken: user.link }), "invalid_refresh_token");
    expectProblem(await post("/v1/auth/setup", { token: user.link, email: freshEmail(), password: another }), "invalid_setup_token");
    expect((await use(user.link)).status).toBe(done);
  });

  test("is over when its time is, when the address changes, and when the account is disabled or gone", async () => {
    const late = await userWithLink(purpose);
    await database`update one_time_tokens set expires_at = now() where user_id = ${late.id}`;
    expectProblem(await use(late.link), "invalid_link");

    const moved = await userWithLink(purpose);
    await database`update users set email = ${freshEmail()} where id = ${moved.id}`;
    expectProblem(await use(moved.link), "invalid_link");

    const disabled = await userWithLink(purpose);
    await database`update users set disabled_at = now() where id = ${disabled.id}`;
    expectProblem(await use(disabled.link), "account_disabled");
  });

  test("lives as long as the mail says", async () => {
    const { id } = await userWithLink(purpose);
    const [row] = await database`
      select extract(epoch from expires_at - created_at)::int as seconds from one_time_tokens where user_id = ${id} and purpose = ${purpose}`;
    expect(row?.seconds).toBe({ verify_email: 86_400, reset_password: 3_600, magic_link: 900 }[purpose]);
  });

  test("is stored as a digest, and stands in no event, audit row or job", async () => {
    const { id, link } = await userWithLink(purpose);
    const [row] = await database`select
      (select count(*)::int from one_time_tokens where hash = ${link} or data::text like ${`%${link}%`}) as tokens,
      (select count(*)::int from outbox where payload::text like ${`%${link}%`}) as outbox,
      (select count(*)::int from audit_log where data::text like ${`%${link}%`}) as audit,
      (select count(*)::int from tasks where tasks::text like ${`%${link}%`}) as tasks`;
    expect(row).toEqual({ tokens: 0, outbox: 0, audit: 0, tasks: 0 });
    const audited =
      await database`select 1 from audit_log where action = 'user.link_mailed' and subject = ${id} and data->>'purpose' = ${purpose}`;
    expect(audited).toHaveLength(1);
  });

  test.each(["", "x", "a\0b", "' or 1=1 --", randomToken(32), "%", `${randomToken(32)}=`])("%j is none", async (token) => {
    expectProblem(await use(token), "invalid_link");
  });

  test.each([[null], [1], [{}], [["x"]], ["x".repeat(129)]])("%j is no token", async (token) => {
    expect(pointersOf(await use(token))).toEqual(["/token"]);
  });

  test("its page stands alone, shows nothing of the address, and uses nothing up", async () => {
    const user = await userWithLink(purpose);
    const answer = await request(running.url, `${page}?token=${user.link}`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect([answer.headers.get("cache-control"), answer.headers.get("referrer-policy")]).toEqual(["no-store", "no-referrer"]);
    expect(answer.body).not.toMatch(/https?:\/\/|src=|href=/);
    expect(answer.body).not.toContain(user.link);
    expect(answer.body).toContain(`fetch("${page}"`);
    expect((await request(running.url, `${page}?token=${encodeURIComponent("<script>")}`)).body).toBe(answer.body);
    expect((await use(user.link)).status).toBe(done);
  });

  test("the mail's link leads to the page at the configured address, whatever Host the request had", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_PUBLIC_URL: "https://keelson.example.com/" });
    const user = await signUp(copy.url);
    const path = { verify_email: "/v1/auth/email/resend", reset_password: "/v1/auth/password/forgot", magic_link: "/v1/auth/magic-link" }[
      purpose
    ];
    await request(copy.url, path, {
      ...(purpose === "verify_email" ? { method: "POST", token: user.token } : { body: { email: user.email } }),
      headers: { host: "evil.example.com", "x-forwarded-host": "evil.example.com" },
    });
    const { text } = await mailTo(copy.url, user.email, subject);
    expect(text).toContain(`https://keelson.example.com${page}?token=`);
    expect(text).not.toContain("evil");
  }, 30_000);
});

describe.each([
  ["POST /v1/auth/password/forgot", "/v1/auth/password/forgot", "reset_password"],
  ["POST /v1/auth/magic-link", "/v1/auth/magic-link", "magic_link"],
] as const)("%s", (_, path, purpose) => {
  const { subject } = links[purpose];

  test("202 {} for an account, a disabled one and none, with the same headers", async () => {
    const [user, disabled] = [await signUp(running.url), await signUp(running.url)];
    await database`update users set disabled_at = now() where id = ${disabled.id}`;
    const answers: Answer[] = [];
    for (const email of [user.email, disabled.email, freshEmail()]) answers.push(await post(path, { email }));
    for (const { status, body, headers } of answers) {
      expect([status, body]).toEqual([202, {}]);
      expect([...headers.keys()]).toEqual([...(answers[0]?.headers.keys() ?? [])]);
    }
    await mailTo(running.url, user.email, subject);
    expect((await mailsTo(running.url, disabled.email)).filter((mail) => mail.subject === subject)).toEqual([]);
  });

  test("creates no account", async () => {
    const email = freshEmail();
    await post(path, { email });
    expect(await database`select 1 from users where email = ${email}`).toHaveLength(0);
  });

  test("mails once a minute, also when asked many times at once; a new link makes the old one useless", async () => {
    const user = await signUp(running.url);
    const issued = () =>
      database`select 1 from audit_log where action = 'user.link_mailed' and subject = ${user.id} and data->>'purpose' = ${purpose}`;
    await Promise.all(Array.from({ length: 8 }, () => post(path, { email: user.email })));
    const first = await mailed(user.email, subject);
    expect(await issued()).toHaveLength(1);
    await database`update one_time_tokens set created_at = now() - interval '61 seconds' where user_id = ${user.id}`;
    await post(path, { email: user.email.toUpperCase().replace("EXAMPLE.COM", "example.com") });
    const both = await until("the second mail", async () => {
      const mails = (await mailsTo(running.url, user.email)).filter((mail) => mail.subject === subject);
      return mails.length === 2 && mails;
    });
    expectProblem(await links[purpose].use(first), "invalid_link");
    const second = both.map(tokenIn).find((token) => token !== first);
    expect((await links[purpose].use(second)).status).toBe(links[purpose].done);
  });

  test.each<readonly [unknown, readonly string[]]>([
    [{}, ["/email"]],
    [{ email: "ada" }, ["/email"]],
    [{ email: "a@example.com\r\nbcc: eve@example.com" }, ["/email"]],
    [{ email: ["a@example.com"] }, ["/email"]],
    [{ email: "a@example.com", url: "https://evil.example.com" }, ["/url"]],
  ])("%j: 400", async (body, pointers) => {
    expect(pointersOf(await post(path, body))).toEqual([...pointers]);
  });
});

describe("POST /v1/auth/password/reset", () => {
  test("ends all sessions, opens none, and the new password is the only one", async () => {
    const user = await userWithLink("reset_password");
    const other = (await login(user.email, user.password)).body;
    const answer = await links.reset_password.use(user.link);
    expect([answer.status, answer.body]).toEqual([204, ""]);
    for (const token of [user.token, other.accessToken]) expect(await sessionStatus(token)).toBe(401);
    for (const { refreshToken } of [user, other]) expectProblem(await post("/v1/auth/refresh", { refreshToken }), "invalid_refresh_token");
    expectProblem(await login(user.email, user.password), "invalid_credentials");
    expect((await login(user.email, another)).body.user.emailVerified).toBe(true);
    await mailTo(running.url, user.email, "Your password was changed");
  });

  test("a weak password does not use the link up", async () => {
    const user = await userWithLink("reset_password");
    const weak = (newPassword: string) => post("/v1/auth/password/reset", { token: user.link, newPassword });
    for (const newPassword of ["password1", user.email]) expect((await weak(newPassword)).body.errors[0].pointer).toBe("/newPassword");
    expect(pointersOf(await weak("short"))).toEqual(["/newPassword"]);
    expect((await links.reset_password.use(user.link)).status).toBe(204);
  });

  test("makes the log-in link that is under way useless, and lets the owner in who was made to wait", async () => {
    const user = await userWithLink("reset_password");
    await links.magic_link.ask(user);
    const magic = await mailed(user.email, links.magic_link.subject);
    for (let n = 0; n < 6; n += 1) await login(user.email, "wrong");
    await database`update login_failures set blocked_until = now() + interval '10 minutes' where failures = 6`;
    expectProblem(await login(user.email, user.password), "rate_limited");
    expect((await links.reset_password.use(user.link)).status).toBe(204);
    expectProblem(await links.magic_link.use(magic), "invalid_link");
    expect((await login(user.email, another)).status).toBe(200);
  });

  test("a log-in with the old password at the same moment opens no session that outlives it", async () => {
    const user = await userWithLink("reset_password");
    const tries = [0, 1, 2, 3].map(() => login(user.email, user.password));
    const [reset, ...opened] = await Promise.all([links.reset_password.use(user.link), ...tries]);
    expect(reset?.status).toBe(204);
    for (const { status, body } of opened) if (status === 200) expect(await sessionStatus(body.accessToken)).toBe(401);
  });
});

describe("POST /v1/auth/email/verify and resend", () => {
  test("sign-up sends the mail; following it answers with the account", async () => {
    const user = await signUp(running.url);
    const answer = await links.verify_email.use(await mailed(user.email, links.verify_email.subject));
    expect(answer.status).toBe(200);
    expect(answer.body.user).toMatchObject({ id: user.id, email: user.email, emailVerified: true });
    expect((await request(running.url, "/v1/me", { token: user.token })).body.user).toEqual(answer.body.user);
  });

  test("resend: at most once a minute, 202 for a verified address without a mail", async () => {
    const user = await signUp(running.url);
    const resend = () => request(running.url, "/v1/auth/email/resend", { method: "POST", token: user.token });
    const early = await resend();
    expectProblem(early, "rate_limited");
    expect(Number(early.headers.get("retry-after"))).toBeGreaterThan(30);
    expect(Number(early.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    const first = await mailed(user.email, links.verify_email.subject);
    await database`update one_time_tokens set created_at = now() - interval '61 seconds' where user_id = ${user.id}`;
    expect([(await resend()).status, (await resend()).status]).toEqual([202, 429]);
    const mails = await until("the second mail", async () => {
      const all = (await mailsTo(running.url, user.email)).filter(({ subject }) => subject === links.verify_email.subject);
      return all.length === 2 && all;
    });
    const second = mails.map(tokenIn).find((token) => token !== first);
    expectProblem(await links.verify_email.use(first), "invalid_link");
    expect((await links.verify_email.use(second)).status).toBe(200);
    expect((await resend()).status).toBe(202);
    expectProblem(await request(running.url, "/v1/auth/email/resend", { method: "POST" }), "unauthenticated");
  });

  test("KEELSON_EMAIL_VERIFICATION=off sends none at sign-up", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_EMAIL_VERIFICATION: "off" });
    const user = await signUp(copy.url);
    // The mail that is asked for is the first there is.
    await request(copy.url, "/v1/auth/magic-link", { body: { email: user.email } });
    await mailTo(copy.url, user.email, links.magic_link.subject);
    expect(await mailsTo(copy.url, user.email)).toHaveLength(1);
  }, 30_000);

  test("required: no session and no log-in before it is verified, by whatever way; then all works", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_EMAIL_VERIFICATION: "required" });
    const [email, password] = [freshEmail(), "correct horse battery staple"];
    const send = (path: string, body: unknown, token?: string) => request(copy.url, path, { body, ...(token ? { token } : {}) });
    const created = await send("/v1/auth/signup", { email, password });
    expect(created.status).toBe(201);
    expect(Object.keys(created.body)).toEqual(["user"]);
    expect(created.body.user).toMatchObject({ email, emailVerified: false });

    // The operator's administrator can log in.
    const admin = { email: freshEmail(), password };
    const setUp = await send("/v1/auth/setup", { token: copy.copy.setupToken, ...admin });
    expect([setUp.status, (await send("/v1/auth/login", admin)).status]).toEqual([201, 200]);

    expectProblem(await send("/v1/auth/login", { email, password }), "email_not_verified");
    expectProblem(await send("/v1/auth/session/users", { email, password }, setUp.body.accessToken), "email_not_verified");
    expectProblem(await send("/v1/auth/login", { email, password: "wrong" }), "invalid_credentials");
    const token = tokenIn(await mailTo(copy.url, email, links.verify_email.subject));
    expect((await send("/v1/auth/email/verify", { token })).status).toBe(200);
    expect((await send("/v1/auth/login", { email, password })).status).toBe(200);
    expect((await send("/v1/auth/session/users", { email, password }, setUp.body.accessToken)).status).toBe(200);
  }, 30_000);

  test("required: whoever missed the mail gets another by logging in, or by a log-in link", async () => {
    await using copy = await startTestCopy("postgres", { KEELSON_EMAIL_VERIFICATION: "required" });
    const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
    const [email, password] = [freshEmail(), "correct horse battery staple"];
    const send = (path: string, body: unknown) => request(copy.url, path, { body });
    await send("/v1/auth/signup", { email, password });
    await mailTo(copy.url, email, links.verify_email.subject);
    await sql`update one_time_tokens set created_at = now() - interval '61 seconds'`;
    expectProblem(await send("/v1/auth/login", { email, password }), "email_not_verified");
    expectProblem(await send("/v1/auth/login", { email, password }), "email_not_verified");
    await until("the second mail", async () => (await mailsTo(copy.url, email)).length === 2);
    await send("/v1/auth/magic-link", { email });
    const token = tokenIn(await mailTo(copy.url, email, links.magic_link.subject));
    expect((await send("/v1/auth/magic-link/verify", { token })).status).toBe(200);
    await sql.end();
  }, 30_000);
});

describe("POST /v1/auth/magic-link/verify", () => {
  test("200: a session of its own, opened by mail", async () => {
    const user = await userWithLink("magic_link");
    const answer = await links.magic_link.use(user.link);
    expect(answer.status).toBe(200);
    expect(answer.body.user).toMatchObject({ id: user.id, emailVerified: true });
    expect(await sessionStatus(answer.body.accessToken)).toBe(200);
    const [row] = await database`select methods from session_users where session_id = ${answer.body.session.id}`;
    expect(row?.methods).toEqual(["email"]);
  });

  test.each<readonly [object, readonly string[]]>([
    [{ totp: "1".repeat(33) }, ["/totp"]],
    [{ userId: "usr_1" }, ["/userId"]],
    [{ email: "a@example.com" }, ["/email"]],
  ])("%j: 400 and the link is as it was", async (more, pointers) => {
    const user = await userWithLink("magic_link");
    expect(pointersOf(await post("/v1/auth/magic-link/verify", { token: user.link, ...more }))).toEqual([...pointers]);
    expect((await links.magic_link.use(user.link)).status).toBe(200);
  });
});
