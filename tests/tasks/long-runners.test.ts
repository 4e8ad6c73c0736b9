import { expect, test } from "bun:test";
import { readStream, request, type SignedInUser, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const queues = JSON.stringify({
  "sandbox-execution": { longRunning: { warnMs: 300, stopMs: 1_500 } },
  "run-start": { longRunning: { warnMs: 200, pauseMs: 600 } },
});
const running = sharedCopy("postgres", { ...adminSettings, KEELSON_QUEUES: queues });

const busy = (ms: number) => `const end = Date.now() + ${ms}; while (Date.now() < end); "done"`;
const linesOf = async (taskId: string, { token }: SignedInUser): Promise<string[]> => {
  const { events } = await readStream(running.url, `/v1/tasks/${taskId}/stream`, { token });
  return events.filter(({ event }) => event === "log").map(({ data }) => data.message);
};

test("a task that runs for long is warned of and then stopped, whatever its handler does", async () => {
  const user = await signUp(running.url);
  const tasks = tasksOf(running.url, user);
  const id = await tasks.add(busy(6_000));
  await until("it has ended", async () => (await tasks.get(id)).finishedAt !== undefined);
  expect(await tasks.get(id)).toMatchObject({ status: "failed", error: { name: "LongRunning" } });
  expect((await linesOf(id, user)).filter((line) => line.includes("has run for"))).toHaveLength(1);
});

test("one that can go on is paused, twice, and the third time stopped; what it had done is kept", async () => {
  const user = await signUp(running.url);
  const tasks = tasksOf(running.url, user);
  const steps = [
    { name: "quick", code: "1" },
    { name: "slow", code: busy(5_000), timeoutMs: 8_000 },
  ];
  const { run } = (await request(running.url, "/v1/runs", { token: user.token, body: { steps } })).body;
  for (let pauses = 0; pauses < 2; pauses += 1) {
    await until("it is paused", async () => (await tasks.status(run.taskId)) === "paused");
    const seen = (await request(running.url, `/v1/runs/${run.id}`, { token: user.token })).body.run;
    expect(seen.steps[0]).toMatchObject({ status: "completed", output: 1 });
    expect((await tasks.verb(run.taskId, "resume")).status).toBe(200);
  }
  await until("it has ended", async () => (await tasks.get(run.taskId)).finishedAt !== undefined);
  expect(await tasks.get(run.taskId)).toMatchObject({ status: "dead", error: { name: "LongRunning" } });
  expect((await linesOf(run.taskId, user)).filter((line) => line.endsWith("it is paused"))).toHaveLength(2);
}, 30_000);

test("a larger tier may take longer", async () => {
  const user = await signUp(running.url);
  const token = await adminToken(running.url);
  await request(running.url, `/v1/users/${user.id}`, { method: "PATCH", token, body: { tier: "enterprise" } });
  const tasks = tasksOf(running.url, user);
  const id = await tasks.add(busy(3_000));
  await until("it has ended", async () => (await tasks.get(id)).finishedAt !== undefined);
  expect(await tasks.get(id)).toMatchObject({ status: "completed", result: { output: "done" } });
});
