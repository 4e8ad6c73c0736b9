import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", adminSettings);
let user: SignedInUser;
let sql: postgres.Sql;
const nasty = "billing";
beforeAll(async () => {
  user = await signUp(running.url);
  sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  const mine = secretsOf(running.url, user);
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  await mine.create({ name: nasty, value: "a canary of compliance" });
  await mine.create({ name: "soon", value: "x", expiresAt: inDays(10) });
  await mine.create({ name: "later", value: "x", expiresAt: inDays(60) });
  await mine.create({ name: "overdue", value: "x" });
  await mine.create({ name: "on-time", value: "x" });
  for (const name of ["overdue", "on-time"]) await mine.send("PUT", `/${name}/policy`, { everyDays: 30, strategy: "manual" });
  await sql`update secret_policies set next_at = now() - interval '2 days' where secret_id = (select id from secrets where name = 'overdue')`;
  for (let reads = 0; reads < 3; reads += 1) await mine.read(nasty);
  await request(running.url, "/v1/external-keys", { token: user.token, body: { service: "custom", name: "c", key: "something-else" } });
  await sql`update external_keys set status = 'invalid'`;
});
afterAll(() => sql.end());
const report = (query = "", token = user.token) => request(running.url, `/v1/compliance/report${query}`, { token });

test("inventory, access, rotation, what is overdue and what expires, with what to do about it", async () => {
  const { status, body } = await report();
  expect(status).toBe(200);
  expect(body.of).toBe(user.id);
  expect(body.inventory).toEqual({
    secrets: { total: 5, versions: 5, expired: 0, withoutPolicy: 3, withoutExpiry: 3, takeTwo: 0 },
    externalKeys: [{ service: "custom", status: "invalid", count: 1 }],
  });
  expect(body.access).toEqual({ total: 3, refused: 0, failed: 0, actors: 1, secrets: 1, mostActive: [{ actor: user.id, count: 3 }] });
  expect(body.rotation).toEqual({ policies: 2, onTime: 1, resting: 0, compliance: 0.5, completed: 0, failed: 0, rolledBack: 0 });
  expect(body.overdue.map(({ name }: { name: string }) => name)).toEqual(["overdue"]);
  expect(body.expiringIn30Days.map(({ name }: { name: string }) => name)).toEqual(["soon"]);
  expect(body.recommendations.map(({ code }: { code: string }) => code)).toEqual([
    "overdue_rotation",
    "expiring",
    "no_policy",
    "invalid_external_key",
  ]);
  expect(body.recommendations[2].text).toBe("Give 3 secrets a rotation policy.");
  expect(JSON.stringify(body)).not.toContain("canary");
});

test("it rests on a checkpoint of the trail that has what is counted", async () => {
  const { body } = await report();
  const { checkpoint } = (await request(running.url, "/v1/audit/checkpoint", { token: user.token })).body;
  expect(body.checkpoint).toEqual(checkpoint);
  const [row] =
    await sql`select count(*)::int as count from audit_chain c join audit_log l on l.id = c.entry_id where c.seq <= ${body.checkpoint.seq} and l.action = 'secret.read'`;
  expect(row?.count).toBe(3);
});

test("the period bounds what has happened, not what there is", async () => {
  const { body } = await report("?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z");
  expect([body.access.total, body.inventory.secrets.total]).toEqual([0, 5]);
  expectProblem(await report("?from=2021-01-01T00:00:00Z&to=2020-02-01T00:00:00Z"), "validation_failed");
  expectProblem(await report("?from=yesterday"), "validation_failed");
});

test("administrators see everybody's, others their own", async () => {
  const admin = await adminToken(running.url);
  const { body } = await report("", admin);
  expect(body.of).toBe("everybody");
  expect(body.inventory.secrets.total).toBe(5);
  expect(body.inventory.keyEncryptionKeys).toEqual({ usable: 1, inForceDays: 0 });
  const stranger = await signUp(running.url);
  const own = await report("", stranger.token);
  expect([own.body.inventory.secrets.total, own.body.access.total, own.body.inventory.keyEncryptionKeys]).toEqual([0, 0, undefined]);
  expectProblem(await report("?scope=system", stranger.token), "forbidden");
  expectProblem(await report("?teamId=team_x", stranger.token), "not_found");
});

test("a page for people, in which names are text and nothing is loaded", async () => {
  await sql`update secrets set name = '<script>alert(1)</script>' where name = 'soon'`;
  const { headers, body } = await report("?format=html");
  expect(headers.get("content-type")).toStartWith("text/html");
  expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(body).toContain("Give 3 secrets a rotation policy.");
  expect(body).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(body).not.toContain("<script>alert");
  expect(body).toContain("50 %");
});
