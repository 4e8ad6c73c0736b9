import { describe, expect, test } from "bun:test";
import { readStream, request, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { testPostgres, testRedis } from "../services.ts";
import { openTcpProxy } from "../tcp-proxy.ts";
import { until } from "../until.ts";

const busy = (ms: number) => `const end = Date.now() + ${ms}; while (Date.now() < end); output = "done"`;

async function submit(url: string, token: string, code: string, timeoutMs = 2_000): Promise<string> {
  const { status, body } = await request(url, "/v1/sandbox/executions", { token, body: { code, timeoutMs, wait: false } });
  expect(status).toBe(202);
  return body.taskId;
}

async function resultOf(url: string, token: string, taskId: string) {
  const { events } = await readStream(url, `/v1/tasks/${taskId}/stream`, { token });
  return events.at(-1)?.data;
}

const available = await substrates();

describe.each(available)("a part dies on %s", (substrate) => {
  test("queue thread: its running tasks are taken over and end once in their record", async () => {
    await using running = await startTestCopy(substrate);
    const { url, copy } = running;
    const { token } = await signUp(url);
    const tasks = await Promise.all(Array.from({ length: 6 }, () => submit(url, token, busy(400))));
    await until("one runs", async () => (await request(url, "/v1/tasks?status=active", { token })).body.data.length > 0);
    await copy.threads.queues[0]?.kill();
    for (const task of tasks)
      expect((await resultOf(url, token, task)).result.execution).toMatchObject({ status: "succeeded", output: "done" });
    expect(copy.threads.queues[0]?.restarts).toBe(1);
  }, 90_000);

  test("sandbox thread: a waiting request gets 503, a queued task runs again, the next request works", async () => {
    await using running = await startTestCopy(substrate);
    const { url, copy } = running;
    // Two owners: of two cells one may hold only one.
    const [{ token }, other] = [await signUp(url), await signUp(url)];
    const queued = await submit(url, token, busy(4_000), 10_000);
    await until("it runs", async () => (await request(url, `/v1/tasks/${queued}`, { token })).body.task.status === "active");
    const waiting = request(url, "/v1/sandbox/executions", { token: other.token, body: { code: busy(4_000), timeoutMs: 10_000 } });
    await until("both cells are busy", async () => (await copy.threads.sandbox?.channel().call("stats", {}, 1_000))?.busy === 2);
    await copy.threads.sandbox?.kill();
    const refused = await waiting;
    expect([refused.status, refused.body.code, refused.headers.get("retry-after")]).toEqual([503, "unavailable", "1"]);
    expect((await resultOf(url, token, queued)).result.execution).toMatchObject({ status: "succeeded", output: "done" });
    await until(
      "a new one answers",
      async () => (await request(url, "/v1/sandbox/executions", { token, body: { code: "6 * 7" } })).body.execution?.output === 42,
    );
  }, 60_000);

  test("bus thread: an open stream goes on and ends with the result", async () => {
    await using running = await startTestCopy(substrate);
    const { url, copy } = running;
    const { token } = await signUp(url);
    const task = await submit(url, token, busy(900));
    const reading = readStream(url, `/v1/tasks/${task}/stream`, { token });
    await until("it runs", async () => (await request(url, `/v1/tasks/${task}`, { token })).body.task.status === "active");
    await copy.threads.bus.kill();
    const { events } = await reading;
    expect(events.map(({ id }) => Number(id))).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.event).toBe("result");
    await until("ready again", async () => (await request(url, "/readyz")).status === 200);
  }, 60_000);
});

describe("a dependency goes away and comes back", () => {
  const dependencies = available.map((substrate) => (substrate === "redis" ? "redis" : "database"));
  test.each(dependencies)(
    "%s: 503 with Retry-After, /readyz names it, and all recovers by itself",
    async (dependency) => {
      const onRedis = dependency === "redis";
      await using proxy = await openTcpProxy(onRedis ? ((await testRedis()) ?? "") : await testPostgres());
      await using running = await startTestCopy(
        onRedis ? "redis" : "postgres",
        onRedis ? { REDIS_URL: proxy.url } : { DATABASE_URL: proxy.url },
      );
      const { url } = running;
      const { token } = await signUp(url);
      await proxy.refuse();

      const ready = await until("it says so", async () => {
        const answer = await request(url, "/readyz");
        return answer.status === 503 ? answer : undefined;
      });
      expect(ready.body.dependencies[dependency].status).toBe("failed");
      const refused = await request(url, "/v1/me", { token });
      expect([refused.status, refused.body.code]).toEqual([503, "unavailable"]);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(refused.headers.get("content-type")).toBe("application/problem+json");
      expect((await request(url, "/healthz")).status).toBe(200);

      await proxy.accept();
      await until("ready again", async () => (await request(url, "/readyz")).status === 200, 20_000);
      await until("requests work", async () => (await request(url, "/v1/me", { token })).status === 200);
      const task = await submit(url, token, "1 + 1");
      expect((await resultOf(url, token, task)).result.execution.output).toBe(2);
    },
    90_000,
  );
});
