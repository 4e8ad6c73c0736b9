import { describe, expect, test } from "bun:test";
import { queueNames } from "../../app/platform/queue/catalogue.ts";
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
});
