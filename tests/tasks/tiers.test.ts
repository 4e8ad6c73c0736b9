import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { request, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const queues = JSON.stringify({ "sandbox-execution": { groupConcurrency: 1, concurrencyMin: 10, concurrencyMax: 10 } });
const running = sharedCopy("postgres", { ...adminSettings, KEELSON_QUEUES: queues, KEELSON_SANDBOX_CELLS: "4" });
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

async function userOf(tier?: string) {
  const user = await signUp(running.url);
  if (tier !== undefined) {
    const token = await adminToken(running.url);
    const { body } = await request(running.url, `/v1/users/${user.id}`, { method: "PATCH", token, body: { tier } });
    expect(body.user.tier).toBe(tier);
  }
  return user;
}

test("only administrators set a tier, and only one that there is; it is audited", async () => {
  const user = await userOf("pro");
  const set = (token: string, tier: unknown) => request(running.url, `/v1/users/${user.id}`, { method: "PATCH", token, body: { tier } });
  expectProblem(await set(user.token, "enterprise"), "forbidden");
  expect(pointersOf(await set(await adminToken(running.url), "gold"))).toEqual(["/tier"]);
  expect(pointersOf(await request(running.url, "/v1/me", { method: "PATCH", token: user.token, body: { tier: "enterprise" } }))).toEqual([
    "/tier",
  ]);
  const rows = await database`select data from audit_log where subject = ${user.id} and action = 'user.updated'`;
  expect(rows.map(({ data }) => data)).toEqual([{ tier: "pro" }]);
});

test.each([
  [undefined, {}, 500, 1_000],
  [undefined, { priority: 10, urgency: "low" }, 10, 760],
  ["pro", { urgency: "high" }, 500, 650],
  ["enterprise", { priority: 0 }, 0, 300],
] as const)("the tier %s with %j: priority %d, effectively %d", async (tier, given, priority, effectivePriority) => {
  const user = await userOf(tier);
  const { status, body } = await tasksOf(running.url, user).submit("1", given);
  expect([status, body.task]).toMatchObject([202, { priority, effectivePriority }]);
});

test.each([-1, 1_001, 1.5, "high"])("a priority of %p is refused", async (priority) => {
  const user = await userOf();
  expect(pointersOf(await tasksOf(running.url, user).submit("1", { priority }))).toEqual(["/priority"]);
});

test("the urgent go first among one's own; no urgency but these", async () => {
  const user = await userOf();
  const tasks = tasksOf(running.url, user);
  expect(pointersOf(await tasks.submit("1", { urgency: "extreme" }))).toEqual(["/urgency"]);
  // One at a time of each user: while this one runs, the others wait.
  const first = await tasks.add("const end = Date.now() + 1_000; while (Date.now() < end); 1");
  await until("it runs", async () => (await tasks.status(first)) === "active");
  const low = await tasks.add("1", { urgency: "low" });
  const normal = await tasks.add("1");
  const high = await tasks.add("1", { urgency: "high" });
  await until("all have ended", async () => (await tasks.list("status=completed")).length === 4);
  const rows = await database`select id from tasks where owner_id = ${user.id} order by started_at, finished_at`;
  expect(rows.map(({ id }) => id)).toEqual([first, high, normal, low]);
});

test("where a tenant may run one at a time, a larger tier runs as many more", async () => {
  const code = "const end = Date.now() + 300; while (Date.now() < end); 1";
  const mostAtOnce = async (tier?: string) => {
    const user = await userOf(tier);
    const tasks = tasksOf(running.url, user);
    await Promise.all(Array.from({ length: 6 }, () => tasks.add(code)));
    let most = 0;
    await until("all have ended", async () => {
      const [row] = await database`select count(*) filter (where status = 'active')::int as active,
        count(*) filter (where finished_at is null)::int as open from tasks where owner_id = ${user.id}`;
      most = Math.max(most, row?.active);
      return row?.open === 0;
    });
    const [row] = await database`select max(weight) as weight from tasks where owner_id = ${user.id}`;
    return { most, weight: row?.weight };
  };
  expect(await mostAtOnce()).toEqual({ most: 1, weight: 1 });
  const pro = await mostAtOnce("pro");
  expect(pro.weight).toBe(4);
  expect(pro.most).toBeGreaterThan(1);
  expect(pro.most).toBeLessThanOrEqual(4);
}, 30_000);
