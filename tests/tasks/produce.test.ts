import { describe, expect, test } from "bun:test";
import { request, signUp } from "../client.ts";
import { substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

describe("what is refused leaves nothing behind", () => {
  const running = sharedCopy("postgres");
  const refuse = async (body: Readonly<Record<string, unknown>>) => {
    const user = await signUp(running.url);
    const answer = await request(running.url, "/v1/tasks", { token: user.token, body });
    expect(await tasksOf(running.url, user).list()).toEqual([]);
    return answer;
  };
  const input = { code: "1" };

  test.each(["no-such-queue", "", "constructor", "Email-Send"])("queue %p: 404", async (queue) => {
    expectProblem(await refuse({ queue, input }), "not_found");
  });
  test("a queue that takes nothing from clients: 404", async () => {
    expectProblem(await refuse({ queue: "maintenance", input: {} }), "not_found");
  });
  test.each<[Record<string, unknown>, string[]]>([
    [{ input: { code: 7 } }, ["/input/code"]],
    [{ input: { code: "1", extra: true } }, ["/input"]],
    [{ input: {} }, ["/input/code"]],
    [{}, ["/input"]],
    [{ input: { code: "1", timeoutMs: 1e9 } }, ["/input/timeoutMs"]],
    [{ input, delayMs: -1 }, ["/delayMs"]],
    [{ input, delayMs: 1.5 }, ["/delayMs"]],
    [{ input, delayMs: 1e15 }, ["/delayMs"]],
    [{ input, priority: -5 }, ["/priority"]],
    [{ input, priority: 1e9 }, ["/priority"]],
    [{ input, priority: "high" }, ["/priority"]],
    [{ input, timeoutMs: 0 }, ["/timeoutMs"]],
    [{ input, group: "a/b" }, ["/group"]],
    [{ input, group: "a\u0000b" }, ["/group"]],
    [{ input, group: "\ud800" }, ["/group"]],
    [{ input, dedupeKey: "" }, ["/dedupeKey"]],
    [{ input, ownerId: "usr_other" }, ["/ownerId"]],
    [{ input, status: "completed" }, ["/status"]],
  ])("%j: 400 at %j", async (body, pointers) => {
    expect(pointersOf(await refuse({ queue: "sandbox-execution", ...body }))).toEqual(pointers);
  });
  test("more than 256 KiB of input: 413", async () => {
    const answer = await refuse({ queue: "sandbox-execution", input: { code: "1", input: "x".repeat(262_145) } });
    expectProblem(answer, "payload_too_large");
  });
  test.each<[unknown, string[]]>([
    [[], [""]],
    [[{ queue: "sandbox-execution", input: { code: "1" } }, { queue: "sandbox-execution" }], ["/1/input"]],
    [
      [
        { queue: "sandbox-execution", input: { code: "1" } },
        { queue: "sandbox-execution", input: { code: 7 } },
      ],
      ["/1/input/code"],
    ],
    [[{ queue: "sandbox-execution", input: { code: "1" }, priority: -1, status: "completed" }], ["/0/priority", "/0/status"]],
    [["sandbox-execution"], ["/0"]],
    [Array.from({ length: 1_001 }, () => ({ queue: "sandbox-execution", input: { code: "1" } })), [""]],
  ])("many of which one is not as expected, %#", async (body, pointers) => {
    const user = await signUp(running.url);
    expect(pointersOf(await request(running.url, "/v1/tasks", { token: user.token, body }))).toEqual(pointers);
    expect(await tasksOf(running.url, user).list()).toEqual([]);
  });

  test("without a log-in: 401", async () => {
    expectProblem(await request(running.url, "/v1/tasks", { body: { queue: "sandbox-execution", input } }), "unauthenticated");
  });
});

describe.each(await substrates())("tasks are made on %s", (substrate) => {
  const running = sharedCopy(substrate, {
    ...adminSettings,
    KEELSON_QUEUES: JSON.stringify({ "sandbox-execution": { concurrencyMin: 1, concurrencyMax: 1, waitingMax: 50 } }),
  });
  const queueVerb = async (verb: "pause" | "resume") =>
    request(running.url, `/v1/queues/sandbox-execution/${verb}`, { method: "POST", token: await adminToken(running.url) });

  test("accepted, run, and found again", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const answer = await tasks.submit("input.n * 2", { priority: 10 }, { input: { n: 21, text: "\u0000 and \ud800" } });
    expect(answer.status).toBe(202);
    expect(answer.body.task).toMatchObject({ queue: "sandbox-execution", attempts: 0, priority: 10, effectivePriority: 510 });
    await until("it is done", async () => (await tasks.status(answer.body.task.id)) === "completed");
    expect((await tasks.get(answer.body.task.id)).result.output).toBe(42);
  }, 20_000);

  test("many at once, in their order", async () => {
    const user = await signUp(running.url);
    const one = (n: number, more = {}) => ({ queue: "sandbox-execution", input: { code: `${n}` }, ...more });
    const body = [...Array.from({ length: 98 }, (_, n) => one(n)), one(98, { dedupeKey: "twin" }), one(99, { dedupeKey: "twin" })];
    const answer = await request(running.url, "/v1/tasks", { token: user.token, body });
    expect([answer.status, answer.body.tasks.length]).toEqual([202, 100]);
    const ids: string[] = answer.body.tasks.map(({ id }: { id: string }) => id);
    expect(ids[99]).toBe(ids[98] ?? "");
    const tasks = tasksOf(running.url, user);
    await until("all are done", async () => (await tasks.list("status=completed&limit=200")).length === 99, 30_000);
    expect(await Promise.all([ids[0], ids[50], ids[98]].map(async (id) => (await tasks.get(id ?? "")).result.output))).toEqual([0, 50, 98]);
  }, 40_000);

  test("a delayed one waits its time", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const { body } = await tasks.submit("1", { delayMs: 900 });
    expect(body.task.status).toBe("delayed");
    const due = Date.parse(body.task.availableAt);
    expect(due - Date.parse(body.task.createdAt)).toBe(900);
    await until("it is done", async () => (await tasks.status(body.task.id)) === "completed");
    expect(Date.parse((await tasks.get(body.task.id)).startedAt)).toBeGreaterThanOrEqual(due);
  }, 20_000);

  test("one with the dedupe key of an unfinished one is that one, for its owner alone", async () => {
    const [ada, eve] = [tasksOf(running.url, await signUp(running.url)), tasksOf(running.url, await signUp(running.url))];
    const ids = await Promise.all(Array.from({ length: 10 }, () => ada.add("1", { dedupeKey: "daily report", delayMs: 400 })));
    expect(new Set(ids).size).toBe(1);
    expect(await eve.add("1", { dedupeKey: "daily report" })).not.toBe(ids[0]);
    await until("it is done", async () => (await ada.status(ids[0] ?? "")) === "completed");
    expect(await ada.add("1", { dedupeKey: "daily report" })).not.toBe(ids[0]);
  }, 20_000);

  test("a tenant with many waiting does not hold up another's one, nor its own urgent one", async () => {
    const [many, one] = [tasksOf(running.url, await signUp(running.url)), tasksOf(running.url, await signUp(running.url))];
    await queueVerb("pause");
    const crowd = await Promise.all(Array.from({ length: 40 }, () => many.add("1")));
    const urgent = await many.add("2", { priority: 0 });
    const single = await one.add("3");
    await queueVerb("resume");
    await until("all are done", async () => (await many.list("status=completed&limit=200")).length === 41, 30_000);
    const order = [...(await many.list("status=completed&limit=200")), ...(await one.list())]
      .toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt))
      .map(({ id }) => id);
    expect(order.indexOf(single)).toBeLessThan(6);
    expect(order.indexOf(urgent)).toBeLessThan(6);
    // Requests sent together may arrive in any order; ids are given out as they do.
    expect(order.indexOf(crowd.toSorted().at(-1) ?? "")).toBeGreaterThan(25);
  }, 60_000);

  test("a full queue refuses with 503 and says when to come again", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    await queueVerb("pause");
    let refused = await tasks.submit("1");
    await until("it is full", async () => {
      await Promise.all(Array.from({ length: 10 }, async () => (refused = await tasks.submit("1"))));
      return refused.status === 503;
    });
    expectProblem(refused, "queue_full");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await queueVerb("resume");
    await until("there is room again", async () => (await tasks.submit("1")).status === 202, 30_000);
  }, 60_000);
});
