import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { mailsTo, mailTo, tokenIn } from "./mailbox.ts";

const running = sharedCopy("postgres", { KEELSON_EMAIL_VERIFICATION: "required" });
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const password = "correct horse battery staple";
const freshEmail = () => `${randomToken(9)}@example.com`;
const post = (path: string, body: unknown): Promise<Answer> => request(running.url, path, { body });
const signUp = (email: string, more: object = {}) => post("/v1/auth/signup", { email, password, ...more });
const confirmMail = "Confirm your e-mail address";
const knownMail = "You have an account already";

async function verifiedAccount(): Promise<{ readonly email: string; readonly id: string }> {
  const email = freshEmail();
  const { body } = await signUp(email, { name: "Ada" });
  await post("/v1/auth/email/verify", { token: tokenIn(await mailTo(running.url, email, confirmMail)) });
  return { email, id: body.user.id };
}

const shapeOf = ({ status, body, headers }: Answer) => ({
  status,
  body: { ...body, user: { ...body.user, id: "", email: "", createdAt: "" } },
  headers: [...headers.keys()].toSorted(),
});

test("an address with an account is answered like one without, in any spelling", async () => {
  const { email, id } = await verifiedAccount();
  const fresh = await signUp(freshEmail(), { name: "Eve" });
  for (const spelling of [email, email.toUpperCase().replace("EXAMPLE.COM", "example.com")]) {
    const taken = await signUp(spelling, { name: "Eve", password: "quartz vexing jumbled sphinx" });
    expect(shapeOf(taken)).toEqual(shapeOf(fresh));
    expect(taken.body.user.email).toBe(spelling);
    expect(taken.body.user.id).toMatch(/^usr_[0-9a-f]{32}$/);
    expect(taken.body.user.id).not.toBe(id);
  }
  const { body } = await post("/v1/auth/login", { email, password });
  expect(body.user).toMatchObject({ id, name: "Ada" });
  expectProblem(await post("/v1/auth/login", { email, password: "quartz vexing jumbled sphinx" }), "invalid_credentials");
});

test("its owner gets a mail, without a link, once in ten minutes; the audit log has each try", async () => {
  const { email, id } = await verifiedAccount();
  await Promise.all(Array.from({ length: 6 }, () => signUp(email)));
  const mail = await mailTo(running.url, email, knownMail);
  expect(mail.text).toContain("Somebody tried to sign up with your address");
  expect(mail.text).not.toContain("token=");
  const tries = await database`select 1 from audit_log where action = 'security.signup_repeated' and subject = ${id}`;
  expect(tries).toHaveLength(6);
  await database`delete from limiter_windows where policy = 'known-address' and key = ${id}`;
  await signUp(email);
  await until(
    "the second one",
    async () => (await mailsTo(running.url, email)).filter(({ subject }) => subject === knownMail).length === 2,
  );
});

test("of many sign-ups of one address at once one makes the account, and all are answered alike", async () => {
  const email = freshEmail();
  const answers = await Promise.all(Array.from({ length: 6 }, () => signUp(email)));
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(201));
  expect(await database`select 1 from users where email = ${email}`).toHaveLength(1);
  await mailTo(running.url, email, confirmMail);
});

test("a disabled account gets no mail", async () => {
  const { email, id } = await verifiedAccount();
  await database`update users set disabled_at = now() where id = ${id}`;
  expect((await signUp(email)).status).toBe(201);
  const other = await verifiedAccount();
  await signUp(other.email);
  await mailTo(running.url, other.email, knownMail);
  expect((await mailsTo(running.url, email)).map(({ subject }) => subject)).toEqual([confirmMail]);
});
