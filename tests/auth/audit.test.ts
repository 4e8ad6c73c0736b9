import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { request } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy("postgres", { KEELSON_EMAIL_VERIFICATION: "required" });
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const password = "correct horse battery staple";

async function account(): Promise<{ readonly id: string; readonly email: string }> {
  const email = `${randomToken(9)}@example.com`;
  await request(running.url, "/v1/auth/signup", { body: { email, password } });
  const [row] = await database`select id from users where email = ${email}`;
  return { id: row?.id, email };
}
const logIn = (email: string) => request(running.url, "/v1/auth/login", { body: { email, password } });
const audited = async (id: string, action: string) =>
  (await database`select actor_id, data from audit_log where subject = ${id} and action = ${action} order by at, id`).map((row) => ({
    ...row,
  }));

test("a right password that is refused: the address is not verified, the account is disabled", async () => {
  const { id, email } = await account();
  expectProblem(await logIn(email), "email_not_verified");
  await database`update users set email_verified_at = now(), disabled_at = now() where id = ${id}`;
  expectProblem(await logIn(email), "account_disabled");
  expect(await audited(id, "security.login_failed")).toEqual([
    { actor_id: null, data: { reason: "address not verified" } },
    { actor_id: null, data: { reason: "account disabled" } },
  ]);
});

test("a new name, without the name", async () => {
  const { id, email } = await account();
  await database`update users set email_verified_at = now() where id = ${id}`;
  const token = (await logIn(email)).body.accessToken;
  const rename = (body: object) => request(running.url, "/v1/me", { method: "PATCH", body, token });
  expect((await rename({ name: "Ada" })).body.user.name).toBe("Ada");
  expect((await rename({})).body.user.name).toBe("Ada");
  expect((await rename({ name: null })).body.user.name).toBeNull();
  const row = { actor_id: id, data: {} };
  expect(await audited(id, "user.renamed")).toEqual([row, row]);
});
