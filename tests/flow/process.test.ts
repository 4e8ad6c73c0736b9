import { describe, expect, test } from "bun:test";
import { readStream, request, signUp } from "../client.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testRedis } from "../services.ts";
import { until } from "../until.ts";

const pause = (ms: number) => `const end = Date.now() + ${ms}; while (Date.now() < end); output = "done"`;

describe("kill -9 of the server during 200 queued executions", () => {
  const redis = testRedis();
  test.each(["embedded", "redis"] as const)(
    "%s: after the next start every one finishes exactly once in its record",
    async (kind) => {
      const redisUrl = await redis;
      if (kind === "redis" && redisUrl === undefined) return;
      await using data = await temporaryDataFolder();
      const settings = {
        KEELSON_DATA_DIR: data.path,
        LOG_LEVEL: "warn",
        ...(kind === "redis" && redisUrl ? { REDIS_URL: redisUrl, KEELSON_KEY_PREFIX: `crash-${process.pid}` } : {}),
      };
      const first = await runServer(settings);
      await whenReady(first);
      const { token } = await signUp(first.url);
      const accepted = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          request(first.url, "/v1/sandbox/executions", { token, body: { code: `${pause(5)} + ${n}`, wait: false, timeoutMs: 2_000 } }),
        ),
      );
      expect(accepted.every(({ status }) => status === 202)).toBe(true);
      const completed = async (url: string) => (await request(url, "/v1/tasks?status=completed&limit=200", { token })).body.data.length;
      await until("some are done and some are not", async () => (await completed(first.url)) >= 5, 60_000);
      first.signal("SIGKILL");
      await first.exited;

      const second = await runServer(settings);
      await whenReady(second);
      await until("all are done", async () => (await completed(second.url)) === 200, 120_000);
      for (const [n, { body }] of accepted.entries()) {
        const { execution } = (await request(second.url, `/v1/sandbox/executions/${body.execution.id}`, { token })).body;
        expect(execution).toMatchObject({ status: "succeeded", output: `done${n}` });
      }
      const { events } = await readStream(second.url, `/v1/tasks/${accepted[199]?.body.taskId}/stream`, { token });
      expect(events.filter(({ event }) => event === "result")).toHaveLength(1);
      second.signal("SIGTERM");
      expect(await second.exited).toBe(0);
    },
    240_000,
  );
});

describe("signals", () => {
  test("SIGTERM lets the running request and its stream end, then exits 0", async () => {
    await using data = await temporaryDataFolder();
    const server = await runServer({ KEELSON_DATA_DIR: data.path, LOG_LEVEL: "info" });
    await whenReady(server);
    const { token } = await signUp(server.url);
    const { body } = await request(server.url, "/v1/sandbox/executions", {
      token,
      body: { code: pause(900), timeoutMs: 3_000, wait: false },
    });
    const streamed = readStream(server.url, `/v1/tasks/${body.taskId}/stream`, { token });
    const waited = request(server.url, "/v1/sandbox/executions", { token, body: { code: pause(900), timeoutMs: 3_000 } });
    await until(
      "the task runs",
      async () => (await request(server.url, `/v1/tasks/${body.taskId}`, { token })).body.task.status === "active",
    );
    server.signal("SIGTERM");
    expect((await waited).body.execution).toMatchObject({ status: "succeeded", output: "done" });
    expect((await streamed).events.at(-1)).toMatchObject({ event: "result", data: { status: "completed" } });
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain('"msg":"stopped"');
  }, 60_000);

  test("a second signal exits at once", async () => {
    await using data = await temporaryDataFolder();
    const server = await runServer({ KEELSON_DATA_DIR: data.path });
    await whenReady(server);
    const { token } = await signUp(server.url);
    const cut = request(server.url, "/v1/sandbox/executions", { token, body: { code: pause(8_000), timeoutMs: 9_000 } }).catch(() => "cut");
    await until("it runs", async () => (await request(server.url, "/healthz")).status === 200);
    server.signal("SIGINT");
    await until("it stops", () => server.output().includes('"msg":"stopping'));
    server.signal("SIGINT");
    expect(await server.exited).toBe(130);
    expect(await cut).toBe("cut");
  }, 60_000);
});

describe("start-up that fails", () => {
  test("an unreachable database: says what it waits for, then exits 1 with the reason", async () => {
    await using data = await temporaryDataFolder();
    const server = await runServer({
      KEELSON_DATA_DIR: data.path,
      DATABASE_URL: "postgres://nobody:secret-word@127.0.0.1:1/none",
      KEELSON_STARTUP_WAIT_MS: "1500",
    });
    expect(await server.exited).toBe(1);
    expect(server.output()).toContain("waiting for PostgreSQL");
    expect(server.output()).toContain("PostgreSQL could not be reached within 1.5 s");
    expect(server.output()).not.toContain("secret-word");
  }, 30_000);

  test("an unreachable Redis: the database that was started is stopped again", async () => {
    await using data = await temporaryDataFolder();
    const settings = { KEELSON_DATA_DIR: data.path, KEELSON_STARTUP_WAIT_MS: "1000" };
    const server = await runServer({ ...settings, REDIS_URL: "redis://127.0.0.1:1" });
    expect(await server.exited).toBe(1);
    expect(server.output()).toContain("Redis could not be reached within 1 s");
    const next = await runServer(settings);
    await whenReady(next);
    next.signal("SIGTERM");
    expect(await next.exited).toBe(0);
  }, 60_000);

  test("a port that is taken, and a data folder that is in use, exit 1 and say so", async () => {
    await using data = await temporaryDataFolder();
    await using other = await temporaryDataFolder();
    const first = await runServer({ KEELSON_DATA_DIR: data.path });
    await whenReady(first);
    const samePort = await runServer({ KEELSON_DATA_DIR: other.path, PORT: new URL(first.url).port });
    expect(await samePort.exited).toBe(1);
    expect(samePort.output()).toMatch(/port|address/i);
    const sameFolder = await runServer({ KEELSON_DATA_DIR: data.path });
    expect(await sameFolder.exited).toBe(1);
    expect(sameFolder.output()).toContain(`pid ${first.pid}`);
    first.signal("SIGTERM");
    expect(await first.exited).toBe(0);
  }, 60_000);
});
