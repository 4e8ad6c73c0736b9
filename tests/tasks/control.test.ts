import { describe, expect, test } from "bun:test";
import { readStream, request, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const forever = "while (true) {}";

describe.each(await substrates())("tasks are controlled on %s", (substrate) => {
  const running = sharedCopy(substrate, adminSettings);
  const freeCells = () =>
    until("no program runs", async () => (await running.copy.threads.sandbox?.channel().call("stats", {}, 1_000))?.busy === 0, 2_000);
  const active = (id: string, tasks: ReturnType<typeof tasksOf>) => until("it runs", async () => (await tasks.status(id)) === "active");

  test("a running task is cancelled: its record at once, its program soon", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const id = await tasks.add(forever);
    await active(id, tasks);
    const answer = await tasks.verb(id, "cancel");
    expect([answer.status, answer.body.task.status]).toEqual([200, "cancelled"]);
    await freeCells();
    const { events } = await readStream(running.url, `/v1/tasks/${id}/stream`, { token: user.token });
    expect(events.map(({ event, data }) => [event, data.status])).toEqual([
      ["state", "waiting"],
      ["state", "active"],
      ["state", "cancelled"],
      ["result", "cancelled"],
    ]);
    expect((await tasks.get(id)).error.name).toBe("Cancelled");
    for (const verb of ["cancel", "pause", "resume"] as const) {
      const refused = await tasks.verb(id, verb);
      expectProblem(refused, "conflict");
      expect(refused.body.detail).toContain("cancelled");
    }
  }, 20_000);

  test("from a copy that runs nothing itself", async () => {
    const { DATABASE_URL = "", KEELSON_KEY_PREFIX, KEELSON_DATA_DIR } = running.config;
    await using other = await startTestCopy(substrate, { DATABASE_URL, KEELSON_KEY_PREFIX, KEELSON_DATA_DIR, KEELSON_ROLES: "api" });
    const user = await signUp(other.url);
    const tasks = tasksOf(other.url, user);
    const id = await tasks.add(forever);
    await active(id, tasks);
    expect((await tasks.verb(id, "cancel")).body.task.status).toBe("cancelled");
    await freeCells();
  }, 30_000);

  test("a waiting task that is cancelled never runs", async () => {
    const admin = await adminToken(running.url);
    const tasks = tasksOf(running.url, await signUp(running.url));
    await request(running.url, "/v1/queues/sandbox-execution/pause", { method: "POST", token: admin });
    const [cancelled, kept] = [await tasks.add("1"), await tasks.add("2")];
    expect((await tasks.verb(cancelled, "cancel")).body.task.status).toBe("cancelled");
    const resumed = await request(running.url, "/v1/queues/sandbox-execution/resume", { method: "POST", token: admin });
    expect(resumed.body.queue.paused).toBe(false);
    await until("the other is done", async () => (await tasks.status(kept)) === "completed");
    expect(await tasks.get(cancelled)).toMatchObject({ status: "cancelled", attempts: 0 });
  }, 20_000);

  test("a running task is paused and goes on when it is resumed", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const id = await tasks.add("const end = Date.now() + 1500; while (Date.now() < end); 'done'");
    await active(id, tasks);
    expect((await tasks.verb(id, "pause")).body.task).toMatchObject({ status: "paused", attempts: 0 });
    await freeCells();
    expect(await tasks.status(id)).toBe("paused");
    expectProblem(await tasks.verb(id, "retry"), "conflict");
    expect((await tasks.verb(id, "resume")).body.task.status).toBe("waiting");
    await until("it is done", async () => (await tasks.status(id)) === "completed");
    expect(await tasks.get(id)).toMatchObject({ attempts: 1, result: { output: "done" } });
  }, 30_000);

  test("a task that failed is tried again, and its stream tells both lives", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const id = await tasks.add("throw new RangeError('not today')");
    await until("it failed", async () => (await tasks.status(id)) === "failed");
    expect((await tasks.get(id)).error.message).toContain("RangeError: not today");
    expect((await tasks.list("status=failed&q=NOT%20TODAY")).map((task: { id: string }) => task.id)).toEqual([id]);
    expect(await tasks.list("status=failed&q=elsewhere")).toEqual([]);
    expect((await tasks.verb(id, "retry")).body.task).toMatchObject({ status: "waiting", attempts: 0 });
    await until("it failed again", async () => (await tasks.status(id)) === "failed");
    const { events } = await readStream(running.url, `/v1/tasks/${id}/stream`, { token: user.token });
    expect(events.map(({ data }) => data.status)).toEqual([
      "waiting",
      "active",
      "failed",
      "failed",
      "waiting",
      "active",
      "failed",
      "failed",
    ]);
    expect(events.map(({ id: seq }) => Number(seq))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  }, 20_000);

  test("what runs is in the registry, for its owner and administrators alone", async () => {
    const [user, stranger] = [await signUp(running.url), await signUp(running.url)];
    const tasks = tasksOf(running.url, user);
    const id = await tasks.add(forever);
    await active(id, tasks);
    const registry = async (token: string) => (await request(running.url, "/v1/tasks/active", { token })).body.data;
    const [mine] = await registry(user.token);
    expect(mine).toMatchObject({ id, status: "active", ownerId: user.id, thread: "queue-1" });
    expect(mine.node.length).toBeGreaterThan(0);
    expect(await registry(stranger.token)).toEqual([]);
    expect((await registry(await adminToken(running.url))).map((task: { id: string }) => task.id)).toContain(id);
    for (const verb of ["cancel", "pause", "resume", "retry"] as const)
      expectProblem(await tasksOf(running.url, stranger).verb(id, verb), "not_found");
    await tasks.verb(id, "cancel");
    await freeCells();
  }, 20_000);
});
