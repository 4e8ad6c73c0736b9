import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Secret, TOTP } from "otpauth";
import postgres from "postgres";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const post = (path: string, body?: unknown, token?: string) =>
  request(running.url, path, { method: "POST", body, ...(token ? { token } : {}) });
const logIn = ({ email, password }: SignedInUser, totp?: string) => post("/v1/auth/login", { email, password, ...(totp ? { totp } : {}) });

/** The code of the step that lies `steps` from now. A code works once and no earlier one after it, so tests go forward: 0, 1. A step back would be too old once the step turns. */
function codeOf(secret: string, steps = 0): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 });
}

/** With a verified address: the first proof of one removes a second factor that a stranger may have set up (`address-proof.test.ts`). */
async function withTotp(): Promise<SignedInUser & { readonly secret: string; readonly recoveryCodes: string[] }> {
  const user = await signUp(running.url);
  await database`update users set email_verified_at = now() where id = ${user.id}`;
  const { secret } = (await post("/v1/auth/mfa/totp", undefined, user.token)).body;
  const confirmed = await post("/v1/auth/mfa/totp/verify", { code: codeOf(secret) }, user.token);
  expect([confirmed.status, confirmed.body.recoveryCodes?.length]).toEqual([200, 10]);
  await database`update totp_credentials set last_step = 0 where user_id = ${user.id}`;
  return { ...user, secret, recoveryCodes: confirmed.body.recoveryCodes };
}

const expireBlock = (userId: string) =>
  database`update login_failures set blocked_until = now() - interval '1 second' where key like ${`mfa:${userId}%`}`;

describe("setting it up", () => {
  test("nothing changes until the first code was right", async () => {
    const user = await signUp(running.url);
    const begun = await post("/v1/auth/mfa/totp", undefined, user.token);
    expect([begun.status, begun.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(begun.body.uri).toStartWith("otpauth://totp/Keelson:");
    expect(begun.body.uri).toContain(`secret=${begun.body.secret}`);
    expect((await logIn(user)).status).toBe(200);
    expect(pointersOf(await post("/v1/auth/mfa/totp/verify", { code: "000000" }, user.token))).toEqual(["/code"]);
    expect((await logIn(user)).status).toBe(200);
  });

  test("beginning again makes the first secret useless; once confirmed it is refused", async () => {
    const user = await signUp(running.url);
    const first = (await post("/v1/auth/mfa/totp", undefined, user.token)).body.secret;
    const second = (await post("/v1/auth/mfa/totp", undefined, user.token)).body.secret;
    expectProblem(await post("/v1/auth/mfa/totp/verify", { code: codeOf(first) }, user.token), "validation_failed");
    expect((await post("/v1/auth/mfa/totp/verify", { code: codeOf(second) }, user.token)).status).toBe(200);
    expectProblem(await post("/v1/auth/mfa/totp", undefined, user.token), "conflict");
    expectProblem(await post("/v1/auth/mfa/totp/verify", { code: codeOf(second, 1) }, user.token), "conflict");
  });

  test("the secret and the codes are not stored as they are", async () => {
    const user = await withTotp();
    const [row] = await database`select encode(secret, 'hex') as secret from totp_credentials where user_id = ${user.id}`;
    expect(row?.secret).not.toContain(Buffer.from(Secret.fromBase32(user.secret).bytes).toString("hex"));
    const codes = await database`select hash from recovery_codes where user_id = ${user.id}`;
    for (const code of user.recoveryCodes) expect(JSON.stringify(codes)).not.toContain(code.replaceAll("-", ""));
  });

  test("each change needs a log-in that is not old, is audited, and the user gets a mail", async () => {
    const user = await withTotp();
    await database`update session_users set authenticated_at = now() - interval '16 minutes' where user_id = ${user.id}`;
    const tries = [
      post("/v1/auth/mfa/recovery-codes", undefined, user.token),
      request(running.url, "/v1/auth/mfa/totp", { method: "DELETE", token: user.token }),
      post("/v1/auth/mfa/totp", undefined, user.token),
    ];
    for (const answer of await Promise.all(tries)) expectProblem(answer, "reauthentication_required");
    const acts = await database`select action from audit_log where subject = ${user.id}`;
    expect(acts.map(({ action }) => action)).toEqual(expect.arrayContaining(["user.mfa_begun", "user.mfa_enabled"]));
    await until("the mail is there", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      return body.data.some(({ to, subject }: { to: string; subject: string }) => to === user.email && subject.includes("second factor"));
    });
  });
});

describe("log-in with a second factor", () => {
  test("the password alone: mfa_required, and only after it was right", async () => {
    const user = await withTotp();
    expectProblem(await logIn(user), "mfa_required");
    expectProblem(await post("/v1/auth/login", { email: user.email, password: "not the password 1" }), "invalid_credentials");
    expectProblem(
      await post("/v1/auth/login", { email: user.email, password: "not the password 1", totp: codeOf(user.secret) }),
      "invalid_credentials",
    );
    expect((await logIn(user, codeOf(user.secret))).status).toBe(200);
  });

  test("a code works once, and none from before it", async () => {
    const user = await withTotp();
    const [now, next] = [codeOf(user.secret, 0), codeOf(user.secret, 1)];
    expect((await logIn(user, next)).status).toBe(200);
    expectProblem(await logIn(user, next), "invalid_credentials");
    expectProblem(await logIn(user, now), "invalid_credentials");
    expectProblem(await logIn(user, codeOf(user.secret, -1)), "invalid_credentials");
  });

  test("of many log-ins with one code exactly one succeeds", async () => {
    const user = await withTotp();
    const code = codeOf(user.secret);
    const answers = await Promise.all(Array.from({ length: 6 }, () => logIn(user, code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("a recovery code works once, however it is written", async () => {
    const user = await withTotp();
    const [first = "", second = ""] = user.recoveryCodes;
    expect((await logIn(user, first)).status).toBe(200);
    expectProblem(await logIn(user, first), "invalid_credentials");
    expect((await logIn(user, ` ${second.toUpperCase().replaceAll("-", "")} `)).status).toBe(200);
    const stranger = await withTotp();
    expectProblem(await logIn(stranger, user.recoveryCodes[2]), "invalid_credentials");
  });

  test("of many log-ins with one recovery code exactly one succeeds", async () => {
    const user = await withTotp();
    const answers = await Promise.all(Array.from({ length: 6 }, () => logIn(user, user.recoveryCodes[0])));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test.each(["000000", "12345", "1234567", "abcdef", "", " ", "0".repeat(32), "１２３４５６", "null"])("%j is no code", async (totp) => {
    const user = await withTotp();
    const answer = await post("/v1/auth/login", { email: user.email, password: user.password, totp });
    expectProblem(answer, "invalid_credentials");
  });

  test.each<readonly [unknown]>([[123456], [null], [["123456"]], ["x".repeat(33)]])("totp %j: 400", async (totp) => {
    expect(pointersOf(await post("/v1/auth/login", { email: "a@example.com", password: "x", totp }))).toEqual(["/totp"]);
  });

  test("guessing is slowed down, although each try is undone, and a right code then has to wait as well", async () => {
    const user = await withTotp();
    for (let n = 0; n < 5; n += 1) expectProblem(await logIn(user, "000000"), "invalid_credentials");
    const held: Answer = await logIn(user, codeOf(user.secret));
    expectProblem(held, "rate_limited");
    expect(Number(held.headers.get("retry-after"))).toBeGreaterThan(0);
    expectProblem(await logIn(user, user.recoveryCodes[0]), "rate_limited");
    await expireBlock(user.id);
    expectProblem(await logIn(user, "000000"), "invalid_credentials");
    const [row] =
      await database`select extract(epoch from blocked_until - last_failed_at)::int as seconds from login_failures where key like ${`mfa:${user.id} %`}`;
    expect(row?.seconds).toBe(60);
    await expireBlock(user.id);
    expect((await logIn(user, codeOf(user.secret))).status).toBe(200);
    const acts = await database`select action from audit_log where subject = ${user.id} and action = 'security.second_factor_failed'`;
    expect(acts).toHaveLength(6);
  });
});

describe("no way around it", () => {
  test("into somebody's session: the code is needed there too, and nobody is added without", async () => {
    const [ada, bob] = [await signUp(running.url), await withTotp()];
    const add = (totp?: string) =>
      post("/v1/auth/session/users", { email: bob.email, password: bob.password, ...(totp ? { totp } : {}) }, ada.token);
    expectProblem(await add(), "mfa_required");
    expectProblem(await add("000000"), "invalid_credentials");
    expect((await request(running.url, "/v1/auth/session", { token: ada.token })).body.users).toHaveLength(1);
    expect((await add(codeOf(bob.secret))).status).toBe(200);
  });

  test("a refresh renews what a log-in once allowed, and adds nobody", async () => {
    const user = await withTotp();
    const session = (await logIn(user, codeOf(user.secret))).body;
    expect((await post("/v1/auth/refresh", { refreshToken: session.refreshToken })).status).toBe(200);
    const [row] = await database`select methods from session_users where session_id = ${session.session.id}`;
    expect(row?.methods).toEqual(["pwd", "otp"]);
  });

  test("a magic link asks for it and is not used up by a wrong code", async () => {
    const user = await withTotp();
    await post("/v1/auth/magic-link", { email: user.email });
    const token = await until("the link is there", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      const mail = body.data.find(({ to, text }: { to: string; text: string }) => to === user.email && text.includes("magic-link"));
      return /token=([\w-]+)/.exec(mail?.text ?? "")?.[1];
    });
    expectProblem(await post("/v1/auth/magic-link/verify", { token }), "mfa_required");
    expectProblem(await post("/v1/auth/magic-link/verify", { token, totp: "000000" }), "invalid_credentials");
    expect((await post("/v1/auth/magic-link/verify", { token, totp: codeOf(user.secret) })).status).toBe(200);
  });

  test("a password reset opens no session and leaves it on", async () => {
    const user = await withTotp();
    await post("/v1/auth/password/forgot", { email: user.email });
    const token = await until("the link is there", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      const mail = body.data.find(({ to, text }: { to: string; text: string }) => to === user.email && text.includes("password/reset"));
      return /token=([\w-]+)/.exec(mail?.text ?? "")?.[1];
    });
    const newPassword = "another horse, another staple";
    const reset = await post("/v1/auth/password/reset", { token, newPassword });
    expect([reset.status, reset.body]).toEqual([204, ""]);
    expectProblem(await post("/v1/auth/login", { email: user.email, password: newPassword }), "mfa_required");
  });
});

describe("turning it off, and new recovery codes", () => {
  test("afterwards the password is enough again", async () => {
    const user = await withTotp();
    const remove = () => request(running.url, "/v1/auth/mfa/totp", { method: "DELETE", token: user.token });
    expect((await remove()).status).toBe(204);
    expect((await logIn(user)).status).toBe(200);
    expectProblem(await remove(), "not_found");
    expectProblem(await post("/v1/auth/mfa/recovery-codes", undefined, user.token), "not_found");
  });

  test("new recovery codes replace the old ones", async () => {
    const user = await withTotp();
    const renewed = await post("/v1/auth/mfa/recovery-codes", undefined, user.token);
    expect([renewed.status, new Set([...renewed.body.recoveryCodes, ...user.recoveryCodes]).size]).toEqual([200, 20]);
    expectProblem(await logIn(user, user.recoveryCodes[0]), "invalid_credentials");
    expect((await logIn(user, renewed.body.recoveryCodes[0])).status).toBe(200);
  });

  test("nobody without a token", async () => {
    for (const path of ["/v1/auth/mfa/totp", "/v1/auth/mfa/recovery-codes"]) expectProblem(await post(path), "unauthenticated");
    expectProblem(await request(running.url, "/v1/auth/mfa/totp", { method: "DELETE" }), "unauthenticated");
  });
});
