import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { z } from "zod";
import type { Running } from "../../app/platform/bus/port.ts";
import { systemNow } from "../../app/platform/clock.ts";
import { newId } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { queueCatalogue } from "../../app/platform/queue/catalogue.ts";
import { defineJob } from "../../app/platform/queue/job.ts";
import { createMayAct } from "../../app/services/auth/may-act.ts";
import { createAuthStore } from "../../app/services/auth/store.ts";
import { createTeamStore } from "../../app/services/auth/teams/store.ts";
import { createTaskProducer } from "../../app/services/tasks/record/create.ts";
import { createScheduleStore } from "../../app/services/tasks/schedules/store.ts";
import { startTicker, type TickerDeps } from "../../app/services/tasks/schedules/ticker.ts";
import { createTaskStore } from "../../app/services/tasks/store.ts";
import { type DatabaseClient, type Db, openDatabase } from "../../db/client.ts";
import { testLogger, testPostgres } from "../services.ts";
import { until } from "../until.ts";

const job = defineJob({ name: "test.count", queue: "llm-completion", input: z.object({ count: z.number() }) });
let url: string;
let database: { readonly sql: postgres.Sql };
let owner: string;
const tickers: Running[] = [];
const clients: DatabaseClient[] = [];

const client = (): DatabaseClient => {
  const opened = openDatabase({ url, connectionsMax: 3, applicationName: "test" });
  clients.push(opened);
  return opened;
};

beforeAll(async () => {
  url = await testPostgres();
  database = { sql: postgres(url, { max: 4 }) };
  owner = await addUser();
}, 60_000);
afterEach(async () => {
  await Promise.all(tickers.splice(0).map((ticker) => ticker.stop()));
  await database.sql`delete from schedules`;
  await database.sql`delete from tasks`;
  await database.sql`delete from outbox`;
});
afterAll(async () => {
  await Promise.all([...clients.map((it) => it.close()), database.sql.end()]);
});

async function addUser(): Promise<string> {
  const id = newId("user");
  await database.sql`insert into users (id, email) values (${id}, ${`${id}@example.com`})`;
  return id;
}

function producerOn(db: Db) {
  const { findByDedupeKey } = createTaskStore(db);
  return createTaskProducer({ db, findByDedupeKey, queues: queueCatalogue, wake: () => undefined, now: systemNow });
}

/** As each copy has one, over connections of its own. */
function tick(overrides: Partial<TickerDeps> = {}): Running {
  const { db } = client();
  const transact = createTransact({ db, now: systemNow, wake: () => undefined });
  const tasks = producerOn(db);
  const ticker = startTicker({
    store: createScheduleStore(db),
    transact,
    createTask: tasks.create,
    contractOf: (queue) => (queue === job.queue ? job : undefined),
    mayAct: createMayAct({ users: createAuthStore(db), teams: createTeamStore(db) }),
    log: testLogger("ticker"),
    ...overrides,
  });
  tickers.push(ticker);
  return ticker;
}

const daily = { cron: null, every_ms: 86_400_000 };

/** A row as the service writes it, due `dueSecondsAgo`. */
async function add(given: Record<string, unknown> = {}, dueSecondsAgo = 0): Promise<string> {
  const id = newId("schedule");
  const row = { id, owner_id: owner, queue: job.queue, cron: "* * * * * *", input: { count: 1 }, anchor_at: new Date(0), ...given };
  await database.sql`insert into schedules ${database.sql(row)}`;
  await database.sql`update schedules set next_run_at = date_trunc('second', now()) - make_interval(secs => ${dueSecondsAgo}) where id = ${id}`;
  if (given.every_ms === daily.every_ms)
    await database.sql`update schedules set anchor_at = next_run_at, starts_at = next_run_at where id = ${id}`;
  return id;
}

const ticksOf = async (id: string): Promise<Date[]> =>
  (await database.sql`select tick_at from schedule_ticks where schedule_id = ${id} order by tick_at`).map(
    ({ tick_at }) => new Date(tick_at),
  );
const taskCount = async (): Promise<number> => Number((await database.sql`select count(*) from tasks`)[0]?.count);
const scheduleRow = async (id: string) => (await database.sql`select * from schedules where id = ${id}`)[0];
/** Looked at and done with. */
const dealtWith = (id: string) => until("the schedule was dealt with", async () => (await scheduleRow(id))?.last_tick_at !== null);
const eventsOf = async (id: string, type: string) =>
  (
    await database.sql`select event from outbox, json_array_elements(payload) as event
      where event->>'subject' = ${id} and event->>'type' = ${type} order by id`
  ).map(({ event }) => event.data);

test("three copies, one second: one task per tick, no tick left out", async () => {
  for (let copy = 0; copy < 3; copy += 1) tick();
  const id = await add();
  const ticks = await until("there were five ticks", async () => {
    const found = await ticksOf(id);
    return found.length >= 5 && found;
  });
  await Promise.all(tickers.map((ticker) => ticker.stop()));
  const all = await ticksOf(id);
  const first = ticks[0]?.getTime() ?? 0;
  expect(all.map((at) => at.getTime())).toEqual(all.map((_, index) => first + index * 1_000));
  expect(await taskCount()).toBe(all.length);
  expect((await eventsOf(id, "schedule.ticked")).map(({ tickAt }) => tickAt)).toEqual(all.map((at) => at.toISOString()));
  const jobs = await database.sql`select job, input from tasks order by id`;
  expect(jobs.map(({ job: name, input }) => [name, input])).toEqual(all.map(() => [job.name, { count: 1 }]));
  expect((await scheduleRow(id))?.next_run_at.getTime()).toBe((all.at(-1)?.getTime() ?? 0) + 1_000);
}, 20_000);

test("hundreds at once, on three copies: each once, in batches", async () => {
  const ids = await Promise.all(Array.from({ length: 350 }, () => add(daily)));
  const batches: number[] = [];
  for (let copy = 0; copy < 3; copy += 1) {
    const store = createScheduleStore(client().db);
    const claimDue: typeof store.claimDue = async (...args) => {
      const rows = await store.claimDue(...args);
      batches.push(rows.length);
      return rows;
    };
    tick({ store: { ...store, claimDue } });
  }
  await until("all have run", async () => (await database.sql`select 1 from schedules where last_task_id is null`).length === 0, 20_000);
  await Promise.all(tickers.map((ticker) => ticker.stop()));
  expect(await taskCount()).toBe(ids.length);
  expect(Math.max(...batches)).toBe(100);
}, 30_000);

test("a tick that was taken does not run again, even when the schedule is set back", async () => {
  const at = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 2_000);
  const id = await add({ ...daily, ends_at: new Date() });
  await database.sql`update schedules set every_ms = 86400000, cron = null, anchor_at = ${at}, starts_at = ${at}, next_run_at = ${at} where id = ${id}`;
  await database.sql`insert into schedule_ticks (schedule_id, tick_at) values (${id}, ${at})`;
  tick();
  await dealtWith(id);
  expect(await taskCount()).toBe(0);
  await database.sql`delete from schedule_ticks`;
  await database.sql`update schedules set last_tick_at = ${at}, next_run_at = ${at} where id = ${id}`;
  await until("it is past it", async () => (await scheduleRow(id))?.next_run_at === null);
  expect(await taskCount()).toBe(0);
});

describe("nobody was there for an hour", () => {
  test.each([
    ["skip", 0],
    ["once", 1],
    ["all", 12],
  ] as const)("%s: %d", async (missed, count) => {
    // Between two ticks, so that none is fresh.
    const now = Date.now();
    const anchor = new Date(now - 150_000 - 3_600_000);
    const id = await add({ cron: null, every_ms: 300_000, anchor_at: anchor, starts_at: anchor, missed });
    await database.sql`update schedules set next_run_at = ${new Date(anchor.getTime() + 300_000)} where id = ${id}`;
    tick();
    await dealtWith(id);
    expect(await taskCount()).toBe(count);
    expect((await scheduleRow(id))?.next_run_at.getTime()).toBe(anchor.getTime() + 13 * 300_000);
    if (missed === "once") expect((await ticksOf(id)).map((at) => at.getTime())).toEqual([anchor.getTime() + 12 * 300_000]);
  });

  test("all: the newest hundred", async () => {
    const id = await add({ missed: "all", cron: "*/10 * * * * *" }, 7_200);
    tick();
    await dealtWith(id);
    const ticks = await ticksOf(id);
    expect(ticks.length).toBeGreaterThanOrEqual(100);
    expect(ticks[0]?.getTime()).toBeGreaterThan(Date.now() - 1_020_000);
  });

  test.each(["skip", "once", "all"] as const)("%s: some seconds late is not missed, every tick runs", async (missed) => {
    const id = await add({ missed }, 4);
    tick();
    await dealtWith(id);
    expect((await ticksOf(id)).length).toBeGreaterThanOrEqual(5);
  });

  test("what is due now stands for what was missed", async () => {
    const anchor = new Date(Date.now() - 3_600_000);
    const id = await add({ cron: null, every_ms: 300_000, anchor_at: anchor, starts_at: anchor, missed: "once" }, 3_000);
    tick();
    await dealtWith(id);
    expect((await ticksOf(id)).map((at) => at.getTime())).toEqual([anchor.getTime() + 3_600_000]);
  });
});

test("what is late because its copy was busy with others was not missed", async () => {
  const ids: string[] = [];
  for (let count = 0; count < 101; count += 1) ids.push(await add({ ...daily, missed: "skip" }));
  const last = ids.at(-1) ?? "";
  await database.sql`update schedules set next_run_at = next_run_at - interval '1 second' where id <> ${last}`;
  const store = createScheduleStore(client().db);
  let batches = 0;
  // The first batch took a minute: the database's clock as the second one reads it.
  const now: typeof store.now = async (on) => {
    const at = await store.now(on);
    batches += 1;
    return batches === 1 ? new Date(at.getTime() - 1_000) : new Date(at.getTime() + 60_000);
  };
  await database.sql`update schedules set anchor_at = next_run_at, starts_at = next_run_at, ends_at = next_run_at`;
  tick({ store: { ...store, now } });
  await dealtWith(last);
  expect((await scheduleRow(last))?.last_task_id).toMatch(/^tsk_/);
});

test("paused, or past its end: nothing", async () => {
  const running = await add(daily);
  const paused = await add({ paused: true });
  const over = await add({ ends_at: new Date(Date.now() - 60_000) }, 30);
  await database.sql`update schedules set next_run_at = null where id = ${paused}`;
  tick();
  await dealtWith(running);
  await until("it is over", async () => (await scheduleRow(over))?.next_run_at === null);
  expect([(await scheduleRow(paused))?.last_task_id, (await scheduleRow(over))?.last_task_id]).toEqual([null, null]);
});

describe("on whose authority", () => {
  const teamOf = async (userId: string, role?: string): Promise<string> => {
    const id = newId("team");
    await database.sql`insert into teams (id, name) values (${id}, 'Looms')`;
    if (role) await database.sql`insert into team_members (team_id, user_id, role) values (${id}, ${userId}, ${role})`;
    return id;
  };
  const cases: readonly [string, () => Promise<Record<string, unknown>>, boolean][] = [
    ["an open account", async () => ({ owner_id: await addUser() }), true],
    ["nobody", async () => ({ owner_id: newId("user") }), false],
    [
      "a disabled account",
      async () => {
        const id = await addUser();
        await database.sql`update users set disabled_at = now() where id = ${id}`;
        return { owner_id: id };
      },
      false,
    ],
    ["a member", async () => ({ team_id: await teamOf(owner, "member") }), true],
    ["a viewer", async () => ({ team_id: await teamOf(owner, "viewer") }), false],
    ["somebody who has left the team", async () => ({ team_id: await teamOf(owner) }), false],
  ];
  for (const [who, given, runs] of cases)
    test(`${who}: ${runs ? "runs" : "does not run, and goes on"}`, async () => {
      const id = await add({ ...daily, missed: "once", ...(await given()) }, 30);
      tick();
      await dealtWith(id);
      const row = await scheduleRow(id);
      expect([await taskCount(), row?.next_run_at > new Date(), row?.paused]).toEqual([runs ? 1 : 0, true, false]);
    });
});

describe("what can't be made", () => {
  test.each([
    ["an input that the queue no longer takes", { input: { count: "one" } }, /input/],
    ["a queue that takes nothing any more", { queue: "gone" }, /gone/],
  ])("%s: paused, said, announced once", async (_name, given, says) => {
    const id = await add(given);
    tick();
    await dealtWith(id);
    const row = await scheduleRow(id);
    expect([row?.paused, row?.next_run_at, await taskCount()]).toEqual([true, null, 0]);
    expect(row?.last_error).toMatch(says);
    expect(await eventsOf(id, "schedule.failed")).toEqual([{ queue: row?.queue, error: row?.last_error }]);
  });

  test("one whose task can't be made holds nobody up, shows no internals, and is made once it can", async () => {
    const [bad, good] = [await add({ ...daily, input: { count: 13 } }, 1), await add(daily)];
    let broken = true;
    const { db } = client();
    const transact = createTransact({ db, now: systemNow, wake: () => undefined });
    const tasks = producerOn(db);
    const createTask: TickerDeps["createTask"] = async (unit, request) => {
      if (broken && JSON.stringify(request.input).includes("13")) throw new Error("secret internals");
      return await tasks.create(unit, request);
    };
    tick({ transact, createTask });
    await dealtWith(good);
    const error = await until("the error is noted", async () => (await scheduleRow(bad))?.last_error ?? undefined);
    expect(error).not.toContain("secret");
    expect(await taskCount()).toBe(1);
    broken = false;
    await dealtWith(bad);
    expect([await taskCount(), (await scheduleRow(bad))?.last_error]).toEqual([2, null]);
  }, 20_000);
});

test("starts, stops and stops again; a database that comes back is found", async () => {
  let away = true;
  const store = createScheduleStore(client().db);
  const ticker = tick({ store: { ...store, claimDue: (...args) => (away ? Promise.reject(new Error("away")) : store.claimDue(...args)) } });
  const id = await add(daily);
  expect(await Promise.race([ticker.started.then(() => "started"), Bun.sleep(50).then(() => "not yet")])).toBe("not yet");
  away = false;
  await ticker.started;
  await dealtWith(id);
  await Promise.all([ticker.stop(), ticker.stop()]);
  await ticker.stop();
});

test("old ticks are forgotten", async () => {
  const id = await add(daily);
  await database.sql`insert into schedule_ticks (schedule_id, tick_at, created_at) values (${id}, now(), now()), (${id}, now() - interval '2 days', now() - interval '2 days')`;
  expect(await createScheduleStore(client().db).purgeTicks()).toBe(1);
  expect(await ticksOf(id)).toHaveLength(1);
});
