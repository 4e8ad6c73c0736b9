import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { scheduleAccountData } from "../../app/services/tasks/schedules/account-data.ts";
import { createScheduleStore } from "../../app/services/tasks/schedules/store.ts";
import { openDatabase } from "../../db/client.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const schedulesMax = 5;
const running = sharedCopy("postgres", { KEELSON_SCHEDULES_MAX: String(schedulesMax) });
let sql: postgres.Sql;
beforeAll(() => {
  sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => sql.end());

const send = (method: string, path: string, token: string, body?: unknown) => request(running.url, path, { method, token, body });
const get = (path: string, token: string) => send("GET", path, token);
const program = { code: "throw new Error('on schedule')" };
const yearly = { cron: "0 0 1 1 *", queue: "sandbox-execution", input: program };

async function create(user: SignedInUser, given: Record<string, unknown> = {}): Promise<Answer["body"]> {
  const answer = await send("POST", "/v1/schedules", user.token, { ...yearly, ...given });
  expect(answer.status).toBe(201);
  return answer.body.schedule;
}
const newYear = `${new Date().getUTCFullYear() + 1}-01-01T00:00:00.000Z`;
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

const nested = (depth: number): unknown => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`);

test("a schedule ticks, end to end: its tasks are the owner's, run, and are announced", async () => {
  const user = await signUp(running.url);
  const { id } = await create(user, { cron: "* * * * * *" });
  const after = await until("it has ticked twice", async () => {
    const { data } = (await get("/v1/tasks?queue=sandbox-execution", user.token)).body;
    return data.length >= 2 && (await get(`/v1/schedules/${id}`, user.token)).body.schedule;
  });
  expect((await get(`/v1/tasks/${after.lastTaskId}`, user.token)).body.task.queue).toBe("sandbox-execution");
  expect(Date.parse(after.nextRunAt)).toBeGreaterThan(Date.parse(after.lastRunAt));
  expect((await send("DELETE", `/v1/schedules/${id}`, user.token)).status).toBe(204);
  const ended = await until("its tasks end", async () => {
    const { data } = (await get("/v1/tasks", user.token)).body;
    return data.every(({ status }: { readonly status: string }) => status === "failed") && data;
  });
  expect(ended[0].error.message).toContain("on schedule");
  const types = await until("the events are out", async () => {
    const rows = await sql`select type from bus_events where event::json->>'subject' = ${id} order by seq`;
    return rows.some(({ type }) => type === "schedule.deleted") && rows.map(({ type }) => type);
  });
  expect([types[0], types[1], types.at(-1)]).toEqual(["schedule.created", "schedule.ticked", "schedule.deleted"]);
  const audit = await sql`select action, actor_id from audit_log where subject = ${id} order by id`;
  expect(audit.map(({ action, actor_id }) => [action, actor_id])).toEqual([
    ["schedule.created", user.id],
    ["schedule.deleted", user.id],
  ]);
}, 20_000);

test("create, read, list, change, delete", async () => {
  const user = await signUp(running.url);
  const first = await create(user, { name: "report", timezone: "Europe/Berlin" });
  expect(first).toEqual({
    id: expect.stringMatching(/^sch_[0-9a-f]{32}$/),
    ...yearly,
    everyMs: null,
    timezone: "Europe/Berlin",
    name: "report",
    paused: false,
    missed: "once",
    startsAt: null,
    endsAt: null,
    createdAt: expect.any(String),
    nextRunAt: new Date(Date.parse(newYear) - 3_600_000).toISOString(),
    lastRunAt: null,
    lastTaskId: null,
    lastError: null,
  });
  expect((await get(`/v1/schedules/${first.id}`, user.token)).body.schedule).toEqual(first);
  const second = await create(user, { cron: undefined, everyMs: 60_000, missed: "all" });
  expect(Date.parse(second.nextRunAt)).toBe(Date.parse(second.createdAt) + 60_000);
  const page = await get("/v1/schedules?limit=1", user.token);
  const { input: _, ...summary } = second;
  expect(page.body).toEqual({ data: [summary], nextCursor: second.id });
  const rest = await get(`/v1/schedules?limit=1&cursor=${second.id}`, user.token);
  expect([rest.body.data[0].id, rest.body.nextCursor]).toEqual([first.id, null]);
  const changed = await send("PATCH", `/v1/schedules/${first.id}`, user.token, { timezone: "UTC", name: null, missed: "skip" });
  expect(changed.body.schedule).toEqual({ ...first, timezone: "UTC", name: null, missed: "skip", nextRunAt: newYear });
  const interval = await send("PATCH", `/v1/schedules/${first.id}`, user.token, { everyMs: 5_000 });
  expect(interval.body.schedule).toMatchObject({ cron: null, everyMs: 5_000 });
  expect((await send("DELETE", `/v1/schedules/${first.id}`, user.token)).status).toBe(204);
  for (const [method, path] of [
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["GET", "/upcoming"],
    ["POST", "/run"],
  ] as const)
    expectProblem(await send(method, `/v1/schedules/${first.id}${path}`, user.token, method === "PATCH" ? {} : undefined), "not_found");
});

test("the same key makes one schedule", async () => {
  const user = await signUp(running.url);
  const headers = { "idempotency-key": "once" };
  const both = [0, 1].map(() => request(running.url, "/v1/schedules", { token: user.token, body: yearly, headers }));
  const statuses = (await Promise.all(both)).map(({ status }) => status);
  expect(statuses.every((status) => status === 201 || status === 409)).toBe(true);
  expect((await get("/v1/schedules", user.token)).body.data).toHaveLength(1);
});

test("upcoming: as the clock on the wall says", async () => {
  const user = await signUp(running.url);
  const { id } = await create(user, { endsAt: `${new Date().getUTCFullYear() + 3}-06-01T00:00:00Z` });
  const year = new Date().getUTCFullYear();
  expect((await get(`/v1/schedules/${id}/upcoming`, user.token)).body).toEqual({
    data: [1, 2, 3].map((more) => `${year + more}-01-01T00:00:00.000Z`),
  });
  expect((await get(`/v1/schedules/${id}/upcoming?count=1`, user.token)).body.data).toHaveLength(1);
  expect(pointersOf(await get(`/v1/schedules/${id}/upcoming?count=101`, user.token))).toEqual(["query.count"]);
});

test("run: one task now, also while it is paused; the ticks stay as they are", async () => {
  const user = await signUp(running.url);
  const { id } = await create(user, { paused: true });
  const ran = await send("POST", `/v1/schedules/${id}/run`, user.token);
  expect(ran.status).toBe(202);
  const { schedule } = (await get(`/v1/schedules/${id}`, user.token)).body;
  expect(schedule).toMatchObject({ lastTaskId: ran.body.taskId, nextRunAt: null, paused: true });
  expect((await get("/v1/tasks", user.token)).body.data.map((task: { readonly id: string }) => task.id)).toEqual([ran.body.taskId]);
});

test("what falls into a pause is not made up for", async () => {
  const user = await signUp(running.url);
  const { id } = await create(user, { cron: undefined, everyMs: 60_000, missed: "all" });
  const paused = await send("PATCH", `/v1/schedules/${id}`, user.token, { paused: true });
  expect(paused.body.schedule).toMatchObject({ paused: true, nextRunAt: null });
  expect((await get(`/v1/schedules/${id}/upcoming`, user.token)).body.data).toEqual([]);
  await sql`update schedules set anchor_at = anchor_at - interval '1 day', last_error = 'broken' where id = ${id}`;
  const { schedule } = (await send("PATCH", `/v1/schedules/${id}`, user.token, { paused: false })).body;
  const left = Date.parse(schedule.nextRunAt) - Date.now();
  expect([schedule.lastError, left > 0 && left <= 60_000]).toEqual([null, true]);
  const renamed = await send("PATCH", `/v1/schedules/${id}`, user.token, { name: "later" });
  expect(renamed.body.schedule).toEqual({ ...schedule, name: "later" });
});

describe("bad input", () => {
  const interval = { everyMs: 60_000, queue: yearly.queue, input: yearly.input };
  const without = (name: keyof typeof yearly) => Object.fromEntries(Object.entries(yearly).filter(([key]) => key !== name));
  const table: readonly [string, unknown, readonly string[], RegExp?][] = [
    ["neither", without("cron"), ["/cron"], /cron or everyMs/],
    ["both", { ...yearly, everyMs: 1_000 }, ["/everyMs"], /not both/],
    ["four fields", { ...yearly, cron: "* * * *" }, ["/cron"], /4 fields/],
    ["minute 61", { ...yearly, cron: "61 * * * *" }, ["/cron"], /61.*0-59/],
    ["a day that never comes", { ...yearly, cron: "0 0 30 2 *" }, ["/cron"], /day of month/],
    ["a nickname", { ...yearly, cron: "@daily" }, ["/cron"], /1 field:/],
    ["too often", { ...interval, everyMs: 999 }, ["/everyMs"], /1000/],
    ["half a millisecond", { ...interval, everyMs: 1_000.5 }, ["/everyMs"]],
    ["a text as interval", { ...interval, everyMs: "1000" }, ["/everyMs"]],
    ["no such zone", { ...yearly, timezone: "Europe/Atlantis" }, ["/timezone"], /IANA/],
    ["an offset as zone", { ...yearly, timezone: "+02:00" }, ["/timezone"]],
    ["no input", without("input"), ["/input"], /missing/],
    ["no queue", without("queue"), ["/queue"]],
    ["an input of another kind", { ...yearly, input: { code: 7 } }, ["/input/code"]],
    ["an input that is no object", { ...yearly, input: "x" }, ["/input"]],
    ["a huge input", { ...yearly, input: { code: "x".repeat(262_144) } }, ["/input"], /262144/],
    ["an input like a well", { ...yearly, input: nested(5_000) }, ["/input"], /deep/],
    ["an unknown policy", { ...yearly, missed: "twice" }, ["/missed"]],
    ["an unknown field", { ...yearly, delayMs: 5 }, ["/delayMs"], /unknown/],
    ["an empty name", { ...yearly, name: "" }, ["/name"]],
    ["NUL in the name", { ...yearly, name: "a\0b" }, ["/name"]],
    ["a date as people write it", { ...yearly, startsAt: "tomorrow" }, ["/startsAt"]],
    [
      "over before it begins",
      { ...yearly, startsAt: "2031-01-02T00:00:00Z", endsAt: "2031-01-01T00:00:00Z" },
      ["/endsAt"],
      /after startsAt/,
    ],
    ["over before the first tick", { ...interval, endsAt: "2020-01-01T00:00:00Z" }, ["/endsAt"], /no tick/],
    ["nothing in between", { ...yearly, startsAt: "2031-02-01T00:00:00Z", endsAt: "2031-03-01T00:00:00Z" }, ["/endsAt"], /no tick/],
  ];
  let user: SignedInUser;
  beforeAll(async () => {
    user = await signUp(running.url);
  });
  for (const [name, body, pointers, says] of table)
    test(`${name}: 400 at ${pointers.join(", ")}`, async () => {
      const answer = await send("POST", "/v1/schedules", user.token, body);
      expect(pointersOf(answer)).toEqual([...pointers]);
      if (says) expect(answer.body.errors[0].detail).toMatch(says);
    });
  test.each(["nowhere", "maintenance", "email-send", "__proto__"])("the queue %s takes nothing from callers: 404", async (queue) => {
    expectProblem(await send("POST", "/v1/schedules", user.token, { ...yearly, queue, input: { userId: user.id } }), "not_found");
  });
  test("of all that nothing is left", async () => {
    expect((await get("/v1/schedules", user.token)).body.data).toEqual([]);
  });
  test("a change is checked in the same way, and changes nothing when refused", async () => {
    const schedule = await create(user);
    const path = `/v1/schedules/${schedule.id}`;
    const refused: readonly [unknown, readonly string[]][] = [
      [{ cron: "* *" }, ["/cron"]],
      [{ cron: "* * * * *", everyMs: 1_000 }, ["/everyMs"]],
      [{ input: {} }, ["/input/code"]],
      [{ endsAt: "2020-01-01T00:00:00Z" }, ["/endsAt"]],
      [{ createdAt: inAnHour() }, ["/createdAt"]],
      [{ input: null }, ["/input"]],
    ];
    for (const [body, pointers] of refused) expect(pointersOf(await send("PATCH", path, user.token, body))).toEqual([...pointers]);
    expectProblem(await send("PATCH", path, user.token, { queue: "maintenance" }), "not_found");
    expect((await get(path, user.token)).body.schedule).toEqual(schedule);
  });
  test("without a log-in: 401", async () => {
    expectProblem(await request(running.url, "/v1/schedules"), "unauthenticated");
  });
});

test(`no more than ${schedulesMax} a user, also at once`, async () => {
  const user = await signUp(running.url);
  const answers = await Promise.all(Array.from({ length: schedulesMax + 3 }, () => send("POST", "/v1/schedules", user.token, yearly)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(schedulesMax).fill(201), 409, 409, 409]);
  for (const answer of answers) if (answer.status !== 201) expectProblem(answer, "conflict");
});

describe("whose it is", () => {
  test("somebody else's does not exist; an administrator sees all", async () => {
    const [ada, eve, root] = [await signUp(running.url), await signUp(running.url), await signUp(running.url)];
    const { id } = await create(ada);
    for (const [method, path, body] of [
      ["GET", ""],
      ["PATCH", "", { paused: true }],
      ["DELETE", ""],
      ["GET", "/upcoming"],
      ["POST", "/run"],
    ] as const)
      expectProblem(await send(method, `/v1/schedules/${id}${path}`, eve.token, body), "not_found");
    expect((await get("/v1/schedules", eve.token)).body.data).toEqual([]);
    await sql`update users set role = 'admin' where id = ${root.id}`;
    const login = await request(running.url, "/v1/auth/login", { body: { email: root.email, password: root.password } });
    const admin = login.body.accessToken;
    expect((await get("/v1/schedules?limit=200", admin)).body.data.map((it: { readonly id: string }) => it.id)).toContain(id);
    expect((await send("PATCH", `/v1/schedules/${id}`, admin, { paused: true })).body.schedule.paused).toBe(true);
  });

  test("a team's key makes the team's: members change it, viewers look, others see nothing", async () => {
    const [ada, bob, viewer] = [await signUp(running.url), await signUp(running.url), await signUp(running.url)];
    const teamId = (await send("POST", "/v1/teams", ada.token, { name: "Looms" })).body.team.id;
    await sql`insert into team_members (team_id, user_id, role) values (${teamId}, ${bob.id}, 'member'), (${teamId}, ${viewer.id}, 'viewer')`;
    const { key } = (await send("POST", "/v1/api-keys", ada.token, { name: "team", scopes: ["tasks:write"], teamId })).body;
    const { id } = (await send("POST", "/v1/schedules", key, yearly)).body.schedule;
    expect((await get("/v1/schedules", key)).body.data).toHaveLength(1);
    expect((await get("/v1/schedules", ada.token)).body.data).toEqual([]);
    expect((await send("PATCH", `/v1/schedules/${id}`, bob.token, { paused: true })).status).toBe(200);
    expect((await get(`/v1/schedules/${id}`, viewer.token)).status).toBe(200);
    for (const [method, path, body] of [
      ["PATCH", "", {}],
      ["DELETE", ""],
      ["POST", "/run"],
    ] as const)
      expectProblem(await send(method, `/v1/schedules/${id}${path}`, viewer.token, body), "forbidden");
  });

  test("a key needs the scope of tasks", async () => {
    const ada = await signUp(running.url);
    const keyFor = async (scope: string) => (await send("POST", "/v1/api-keys", ada.token, { name: scope, scopes: [scope] })).body.key;
    const [reads, other] = [await keyFor("tasks:read"), await keyFor("events:write")];
    expect((await get("/v1/schedules", reads)).status).toBe(200);
    expectProblem(await send("POST", "/v1/schedules", reads, yearly), "insufficient_scope");
    expectProblem(await get("/v1/schedules", other), "insufficient_scope");
  });

  test("the export has it, the end of the account takes it", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const [mine, hers] = [await create(ada), await create(eve)];
    const database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test" });
    expect(await scheduleAccountData(createScheduleStore(database.db)).export(ada.id)).toEqual([mine]);
    await database.close();
    expect((await send("DELETE", "/v1/me", ada.token)).status).toBeLessThan(300);
    await until("it is gone", async () => (await sql`select 1 from schedules where id = ${mine.id}`).length === 0);
    expect(await sql`select 1 from schedules where id = ${hers.id}`).toHaveLength(1);
  });
});
