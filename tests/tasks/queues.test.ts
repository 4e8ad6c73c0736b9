import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { queueNames } from "../../app/platform/queue/catalogue.ts";
import { queueTable } from "../../app/platform/queue/overrides.ts";
import { createForgetEnded } from "../../app/services/tasks/retention/forget.ts";
import { createRetentionStore } from "../../app/services/tasks/retention/store.ts";
import { openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { substrates } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

describe.each(await substrates())("queues on %s", (substrate) => {
  const running = sharedCopy(substrate, {
    ...adminSettings,
    KEELSON_QUEUES: JSON.stringify({ "sandbox-execution": { attempts: 2, backoff: { pausesMs: [50] } } }),
  });
  let database: postgres.Sql;
  beforeAll(() => {
    database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  });
  afterAll(() => database.end());
  const redrive = (token: string, body?: unknown) =>
    request(running.url, "/v1/queues/sandbox-execution/redrive", { method: "POST", token, ...(body === undefined ? {} : { body }) });

  test("tell how they are doing", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const ids = await Promise.all(Array.from({ length: 5 }, () => tasks.add("1")));
    await until("all are done", async () => (await tasks.list("status=completed")).length === ids.length);
    const { body } = await request(running.url, "/v1/queues", { token: user.token });
    expect(body.data.map(({ name }: { name: string }) => name).toSorted()).toEqual(queueNames.toSorted());
    await until("the numbers are in", async () => {
      const { queue } = (await request(running.url, "/v1/queues/sandbox-execution", { token: user.token })).body;
      return queue.throughput.perMinute1 >= 5 && queue.waitMs?.p99 >= queue.waitMs?.p50 && queue.runMs?.p50 > 0 && queue.workers === 1;
    });
    expectProblem(await request(running.url, "/v1/queues/nope", { token: user.token }), "not_found");
  }, 20_000);

  test("are paused and resumed by administrators alone", async () => {
    const { token } = await signUp(running.url);
    for (const verb of ["pause", "resume"])
      expectProblem(await request(running.url, `/v1/queues/sandbox-execution/${verb}`, { method: "POST", token }), "forbidden");
    const admin = await adminToken(running.url);
    const paused = await request(running.url, "/v1/queues/email-send/pause", { method: "POST", token: admin });
    expect(paused.body.queue.paused).toBe(true);
    expectProblem(await request(running.url, "/v1/queues/nope/pause", { method: "POST", token: admin }), "not_found");
    await request(running.url, "/v1/queues/email-send/resume", { method: "POST", token: admin });
  });

  test("keep dead letters, which their owner or an administrator sends again", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const tasks = tasksOf(running.url, ada);
    const ids = await Promise.all([tasks.add("throw new Error('one')"), tasks.add("throw new Error('two')")]);
    const dead = async () => (await tasks.list("status=dead")).length;
    await until("both are dead", async () => (await dead()) === 2);
    expect(await tasks.get(ids[0])).toMatchObject({ status: "dead", attempts: 1, attemptsMax: 2, error: { message: "Error: one" } });

    expect((await redrive(eve.token)).body).toEqual({ redriven: 0 });
    expect((await redrive(eve.token, { taskIds: ids })).body).toEqual({ redriven: 0 });
    expect((await redrive(ada.token, { taskIds: [ids[0]] })).body).toEqual({ redriven: 1 });
    await until("it is dead again", async () => (await dead()) === 2);
    expect((await redrive(await adminToken(running.url))).body.redriven).toBe(2);
    expectProblem(await redrive(ada.token, { taskIds: [] }), "validation_failed");
    expectProblem(await redrive(ada.token, { everything: true }), "validation_failed");
  }, 30_000);

  test("forget dead letters by their age, for administrators alone", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const ids = await Promise.all([tasks.add("throw new Error('one')"), tasks.add("throw new Error('two')"), tasks.add("1")]);
    const [old = "", young = "", done = ""] = ids;
    await until("all have ended", async () => (await tasks.list()).every(({ finishedAt }: { finishedAt?: string }) => finishedAt));
    await database`update tasks set finished_at = now() - interval '40 days' where id in ${database([old, done])}`;
    const purge = (token: string, query: string) =>
      request(running.url, `/v1/queues/sandbox-execution/dead-letters?${query}`, { method: "DELETE", token });
    const before = `before=${new Date(Date.now() - 30 * 86_400_000).toISOString()}`;
    expectProblem(await purge(user.token, before), "forbidden");
    const admin = await adminToken(running.url);
    expectProblem(await purge(admin, "before=yesterday"), "validation_failed");
    expectProblem(await purge(admin, ""), "validation_failed");
    expect((await purge(admin, before)).body).toEqual({ purged: 1 });
    expectProblem(await request(running.url, `/v1/tasks/${old}`, { token: user.token }), "not_found");
    expect(await database`select 1 from task_events where task_id = ${old}`).toHaveLength(0);
    expect([await tasks.status(young), await tasks.status(done)]).toEqual(["dead", "completed"]);
    expect(await database`select 1 from audit_log where action = 'queue.dead_letters_purged'`).toHaveLength(1);
  }, 30_000);

  test("forget what has ended longer ago than they remember", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const [failed = "", old = "", young = ""] = await Promise.all([tasks.add("throw 1"), tasks.add("1"), tasks.add("2")]);
    await until("all have ended", async () => (await tasks.list()).every(({ finishedAt }: { finishedAt?: string }) => finishedAt));
    await database`update tasks set finished_at = now() - interval '31 days' where id in ${database([failed, old])}`;
    const client = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test" });
    const store = createRetentionStore(client.db);
    const forget = (days: number) => {
      const settings = queueTable({ "sandbox-execution": { deadLetterDays: days } });
      return createForgetEnded({ store, settings, now: () => new Date() })();
    };
    await forget(90);
    expect((await tasks.list()).map(({ id }: { id: string }) => id).toSorted()).toEqual([failed, young].toSorted());
    await forget(30);
    expect((await tasks.list()).map(({ id }: { id: string }) => id)).toEqual([young]);
    await client.close();
  }, 30_000);
});
