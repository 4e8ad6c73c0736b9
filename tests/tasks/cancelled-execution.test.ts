import { expect, test } from "bun:test";
import { request, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const running = sharedCopy("postgres", adminSettings);

test("an execution whose task is cancelled before it ran is killed; tried again, it runs", async () => {
  const user = await signUp(running.url);
  const { token } = user;
  const setPaused = async (verb: string) =>
    request(running.url, `/v1/queues/sandbox-execution/${verb}`, { method: "POST", token: await adminToken(running.url) });
  const executionOf = async (id: string) => (await request(running.url, `/v1/sandbox/executions/${id}`, { token })).body.execution;
  await setPaused("pause");
  try {
    const { body } = await request(running.url, "/v1/sandbox/executions", { token, body: { code: "6 * 7", wait: false } });
    const { id } = body.execution;
    const tasks = tasksOf(running.url, user);
    expect((await executionOf(id)).status).toBe("queued");
    await tasks.verb(body.taskId, "cancel");
    expect(await executionOf(id)).toMatchObject({ status: "killed", error: { name: "Cancelled" }, finishedAt: expect.any(String) });
    const listed = (await request(running.url, "/v1/sandbox/executions", { token })).body.data;
    expect(listed).toMatchObject([{ id, status: "killed" }]);

    await tasks.verb(body.taskId, "retry");
    expect((await executionOf(id)).status).toBe("queued");
    await setPaused("resume");
    await until("it has run", async () => (await executionOf(id)).status === "succeeded");
    expect((await executionOf(id)).output).toBe(42);
  } finally {
    await setPaused("resume");
  }
});
