import { describe, expect, test } from "bun:test";
import { readStream, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testRedis } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const busy = (ms: number, then = "null") => `const end = Date.now() + ${ms}; while (Date.now() < end); ${then}`;

/** A client's view of runs on one copy. */
function runsOf(url: string, { token }: Pick<SignedInUser, "token">) {
  const get = async (id: string) => (await request(url, `/v1/runs/${id}`, { token })).body.run;
  return {
    get,
    create: (steps: unknown, headers = {}) => request(url, "/v1/runs", { token, body: { steps }, headers }),
    add: async (steps: unknown) => (await request(url, "/v1/runs", { token, body: { steps } })).body.run,
    ended: (id: string, timeoutMs = 20_000) =>
      until(
        "it has ended",
        async () => {
          const run = await get(id);
          return run.finishedAt !== undefined && run;
        },
        timeoutMs,
      ),
    /** What each step that is there so far has put out or how it stands. */
    statuses: async (id: string) => (await get(id)).steps.map(({ status }: { readonly status: string }) => status),
  };
}

describe("what is refused leaves nothing behind", () => {
  const running = sharedCopy();
  const step = { name: "a", code: "1" };
  test.each<[unknown, string[]]>([
    [{}, ["/steps"]],
    [{ steps: [] }, ["/steps"]],
    [{ steps: [{ name: "a" }] }, ["/steps/0/code"]],
    [{ steps: [{ name: "a", code: "1", waitMs: 5 }] }, ["/steps/0/waitMs"]],
    [{ steps: [{ name: "a", waitMs: -1 }] }, ["/steps/0/waitMs"]],
    [{ steps: [{ name: "a", waitMs: 1e12 }] }, ["/steps/0/waitMs"]],
    [{ steps: [{ name: "a", waitMs: 5, input: {} }] }, ["/steps/0/input"]],
    [{ steps: [{ name: "a", waitMs: 5, retries: { attempts: 2 } }] }, ["/steps/0/retries"]],
    [{ steps: [step, step] }, ["/steps/1/name"]],
    [{ steps: [{ ...step, name: "__proto__" }] }, ["/steps/0/name"]],
    [{ steps: [{ ...step, name: "" }] }, ["/steps/0/name"]],
    [{ steps: [{ ...step, code: 7 }] }, ["/steps/0/code"]],
    [{ steps: [{ ...step, code: "\u0000" }] }, ["/steps/0/code"]],
    [{ steps: [{ ...step, timeoutMs: 1e9 }] }, ["/steps/0/timeoutMs"]],
    [{ steps: [{ ...step, input: [1] }] }, ["/steps/0/input"]],
    [{ steps: [{ ...step, input: { previous: 1 } }] }, ["/steps/0/input/previous"]],
    [{ steps: [{ ...step, retries: { attempts: 0 } }] }, ["/steps/0/retries/attempts"]],
    [{ steps: [{ ...step, retries: { attempts: 1e6 } }] }, ["/steps/0/retries/attempts"]],
    [{ steps: [{ ...step, secret: 1 }] }, ["/steps/0/secret"]],
    [{ steps: [step], ownerId: "usr_other" }, ["/ownerId"]],
    [{ steps: Array.from({ length: 101 }, (_, n) => ({ name: `a${n}`, code: "1" })) }, ["/steps"]],
  ])("%j: 400 at %j", async (body, pointers) => {
    const user = await signUp(running.url);
    expect(pointersOf(await request(running.url, "/v1/runs", { token: user.token, body }))).toEqual(pointers);
    expect(await tasksOf(running.url, user).list()).toEqual([]);
  });

  test("more than 256 KiB: 413; without a log-in: 401; somebody else's and none: 404", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    const runs = runsOf(running.url, user);
    expectProblem(await runs.create([{ ...step, input: { text: "x".repeat(262_144) } }]), "payload_too_large");
    expectProblem(await request(running.url, "/v1/runs", { body: { steps: [step] } }), "unauthenticated");
    const { id } = await runs.add([step]);
    const get = (path: string) => request(running.url, path, { token: other.token });
    expectProblem(await get(`/v1/runs/${id}`), "not_found");
    expectProblem(await get("/v1/runs/run_0"), "not_found");
    expectProblem(await get(`/v1/runs/${id.replace("run_", "tsk_")}`), "not_found");
    expectProblem(await get("/v1/runs?cursor=tsk_1"), "invalid_cursor");
  });
});

describe.each(await substrates())("runs on %s", (substrate) => {
  const running = sharedCopy(substrate, adminSettings);

  test("steps see their own input and what the program before them has put out; rests hand it on", async () => {
    const user = await signUp(running.url);
    const runs = runsOf(running.url, user);
    const created = await runs.create([
      { name: "sum", code: "console.log('adding'); input.numbers.reduce((a, b) => a + b, 0)", input: { numbers: [1, 2, 3] } },
      { name: "rest", waitMs: 20 },
      { name: "say", code: "[input.greeting, input.previous].join(' ')", input: { greeting: "It is" } },
    ]);
    expect(created.status).toBe(202);
    expect(created.body.run).toMatchObject({ status: "waiting", steps: [{ name: "sum", status: "pending" }, {}, {}] });
    const run = await runs.ended(created.body.run.id);
    expect(run).toMatchObject({ status: "completed", output: "It is 6", progress: { done: 3, total: 3 } });
    expect(run.steps).toMatchObject([
      { name: "sum", status: "completed", output: 6, attempts: 1 },
      { name: "rest", status: "completed" },
      { name: "say", status: "completed", output: "It is 6" },
    ]);
    expect(run.steps[1].output).toBeUndefined();
    const task = await tasksOf(running.url, user).get(run.taskId);
    expect(task.result).toEqual({
      output: "It is 6",
      steps: [{ name: "sum", output: 6 }, { name: "rest" }, { name: "say", output: "It is 6" }],
    });
    const { events } = await readStream(running.url, `/v1/tasks/${run.taskId}/stream`, { token: user.token });
    const said = events.filter(({ event }) => event === "log").map(({ data }) => data.message);
    expect(said).toEqual(["adding", "step sum is done", "step rest is done", "step say is done"]);
    expect(events.filter(({ event }) => event === "progress").at(-1)?.data).toEqual({ done: 3, total: 3 });
  }, 30_000);

  test("a step is tried again as often as it may; then the run fails, and goes on at that step when it is retried", async () => {
    const user = await signUp(running.url);
    const runs = runsOf(running.url, user);
    const { id, taskId } = await runs.add([
      { name: "first", code: "Math.random()" },
      { name: "bad", code: "throw new RangeError('not today')", retries: { attempts: 3, backoffMs: 10 } },
      { name: "never", code: "1" },
    ]);
    const failed = await runs.ended(id);
    expect(failed).toMatchObject({ status: "dead", error: { message: "step bad: RangeError: not today" }, attempts: 1 });
    expect(failed.steps).toMatchObject([
      { status: "completed" },
      { status: "failed", attempts: 3, error: { name: "RangeError", message: "not today" } },
      { status: "pending" },
    ]);
    await tasksOf(running.url, user).verb(taskId, "retry");
    const again = await until("it failed again", async () => {
      const run = await runs.get(id);
      return run.status === "dead" && run.finishedAt !== failed.finishedAt && run;
    });
    expect(again.steps[0]).toEqual(failed.steps[0]);
    expect(again.steps[1].attempts).toBe(3);
    const { events } = await readStream(running.url, `/v1/tasks/${taskId}/stream`, { token: user.token });
    expect(events.filter(({ data }) => data.message === "step bad: RangeError: not today")).toHaveLength(6);
  }, 30_000);

  test("a long rest holds no worker, and can be paused, resumed and cancelled", async () => {
    const user = await signUp(running.url);
    const [runs, tasks] = [runsOf(running.url, user), tasksOf(running.url, user)];
    const { id, taskId } = await runs.add([
      { name: "first", code: "'kept'" },
      { name: "rest", waitMs: 86_400_000 },
      { name: "last", code: "1" },
    ]);
    const resting = await until("it rests", async () => {
      const run = await runs.get(id);
      return run.status === "delayed" && run;
    });
    expect(resting.steps).toMatchObject([{ status: "completed", output: "kept" }, { status: "waiting" }, { status: "pending" }]);
    const task = await tasks.get(taskId);
    expect(Date.parse(task.availableAt) - Date.parse(resting.steps[1].startedAt)).toBeWithin(86_399_000, 86_402_000);
    expect((await tasks.verb(taskId, "pause")).body.task.status).toBe("paused");
    expect((await tasks.verb(taskId, "resume")).body.task.status).toBe("waiting");
    await until("it rests again, until the same time", async () => {
      const again = await tasks.get(taskId);
      return again.status === "delayed" && Math.abs(Date.parse(again.availableAt) - Date.parse(task.availableAt)) < 1_000;
    });
    await tasks.verb(taskId, "cancel");
    expect(await runs.statuses(id)).toEqual(["completed", "cancelled", "pending"]);
  }, 30_000);

  test("a rest of some seconds goes back to the queue and ends in its time", async () => {
    const runs = runsOf(running.url, await signUp(running.url));
    const { id } = await runs.add([
      { name: "rest", waitMs: 2_500 },
      { name: "last", code: "'rested'" },
    ]);
    await until("it rests", async () => (await runs.get(id)).status === "delayed");
    const run = await runs.ended(id);
    expect(run).toMatchObject({ status: "completed", output: "rested", attempts: 1 });
    expect(Date.parse(run.steps[0].finishedAt) - Date.parse(run.steps[0].startedAt)).toBeGreaterThanOrEqual(2_500);
  }, 30_000);

  test("paused in the middle of a step it goes on with that step, and not before it", async () => {
    const user = await signUp(running.url);
    const [runs, tasks] = [runsOf(running.url, user), tasksOf(running.url, user)];
    const { id, taskId } = await runs.add([
      { name: "once", code: "Math.random()" },
      { name: "slow", code: busy(1_500, "input.previous"), timeoutMs: 8_000 },
    ]);
    await until("the second runs", async () => (await runs.statuses(id))[1] === "running");
    const { output } = (await runs.get(id)).steps[0];
    await tasks.verb(taskId, "pause");
    await until("no program runs", async () => (await running.copy.threads.sandbox?.channel().call("stats", {}, 1_000))?.busy === 0, 2_000);
    expect(await runs.statuses(id)).toEqual(["completed", "pending"]);
    await tasks.verb(taskId, "resume");
    expect(await runs.ended(id)).toMatchObject({ status: "completed", output, steps: [{ output }, { attempts: 1 }] });
  }, 30_000);

  test("a queue thread that dies takes nothing with it that was done", async () => {
    await using own = await startTestCopy(substrate);
    const user = await signUp(own.url);
    const runs = runsOf(own.url, user);
    const { id } = await runs.add([
      { name: "once", code: "Math.random()" },
      { name: "slow", code: busy(700, "input.previous"), timeoutMs: 8_000 },
    ]);
    await until("the second runs", async () => (await runs.statuses(id))[1] === "running");
    const { output, finishedAt } = (await runs.get(id)).steps[0];
    await own.copy.threads.queues[0]?.kill();
    const run = await runs.ended(id, 40_000);
    expect(run).toMatchObject({ status: "completed", output });
    expect(run.steps[0]).toMatchObject({ output, finishedAt, attempts: 1 });
  }, 90_000);

  test("outputs that are too large together fail the step that is too much", async () => {
    const runs = runsOf(running.url, await signUp(running.url));
    const { id } = await runs.add([
      { name: "half", code: "'x'.repeat(600000)" },
      { name: "much", code: "'x'.repeat(600000)" },
    ]);
    expect((await runs.ended(id)).steps[1]).toMatchObject({ status: "failed", error: { name: "OutputTooLarge" } });
  }, 30_000);

  test("lists are one's own, in pages; the same Idempotency-Key is the same run", async () => {
    const user = await signUp(running.url);
    const runs = runsOf(running.url, user);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const steps = [{ name: "a", code: "1" }];
    const [first, same] = [await runs.create(steps, headers), await runs.create(steps, headers)];
    expect(same.body.run.id).toBe(first.body.run.id);
    const second = await runs.add(steps);
    const list = async (query: string, token = user.token) => (await request(running.url, `/v1/runs?${query}`, { token })).body;
    const page = await list("limit=1");
    expect(page.data.map(({ id }: { readonly id: string }) => id)).toEqual([second.id]);
    const rest = await list(`limit=1&cursor=${page.nextCursor}`);
    expect(rest).toMatchObject({ data: [{ id: first.body.run.id }], nextCursor: null });
    expect((await list("", (await signUp(running.url)).token)).data).toEqual([]);
    expect((await list("limit=200", await adminToken(running.url))).data.length).toBeGreaterThanOrEqual(2);
  }, 30_000);
});

describe("kill -9 in the middle of a run", () => {
  test.each(["embedded", "redis"] as const)(
    "%s: it goes on elsewhere and takes no finished step again",
    async (kind) => {
      const redisUrl = kind === "redis" ? await testRedis() : undefined;
      if (kind === "redis" && redisUrl === undefined) return;
      await using data = await temporaryDataFolder();
      const settings = {
        KEELSON_DATA_DIR: data.path,
        LOG_LEVEL: "warn",
        ...(redisUrl ? { REDIS_URL: redisUrl, KEELSON_KEY_PREFIX: `runs-${process.pid}` } : {}),
      };
      const first = await runServer(settings);
      await whenReady(first);
      const user = await signUp(first.url);
      const step = (n: number) => ({ name: `s${n}`, code: busy(300, "[...(input.previous ?? []), Math.random()]"), timeoutMs: 5_000 });
      const { id } = await runsOf(first.url, user).add(Array.from({ length: 6 }, (_, n) => step(n)));
      const before = await until("some are done and one runs", async () => {
        const run = await runsOf(first.url, user).get(id);
        return run.steps[2].status === "completed" && run;
      });
      first.signal("SIGKILL");
      await first.exited;

      const second = await runServer(settings);
      await whenReady(second);
      const run = await runsOf(second.url, user).ended(id, 60_000);
      second.signal("SIGTERM");
      expect(await second.exited).toBe(0);
      expect(run.status).toBe("completed");
      // Each program has put out a number by chance: one that ran again would have put out another.
      for (const n of [0, 1, 2]) expect(run.steps[n]).toEqual(before.steps[n]);
      expect(run.output).toHaveLength(6);
      expect(run.output.slice(0, 3)).toEqual(before.steps[2].output);
    },
    110_000,
  );
});
