import { describe, expect, test } from "bun:test";
import postgres from "postgres";
import { readStream, request, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { until } from "../until.ts";

describe.each(await substrates())("the path of one request on %s", (substrate) => {
  test("from POST /v1/sandbox/executions to the waiting client, all ten steps", async () => {
    await using running = await startTestCopy(substrate);
    const { url } = running;
    const database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    const { id: userId, token } = await signUp(url);

    // 1, 2: the route validates.
    const refused = await request(url, "/v1/sandbox/executions", { token, body: { code: 7, wait: false } });
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, "/code"]);

    // 3, 4: the row and its job are stored together, and the answer names the task.
    const program = { code: "console.log('on my way'); output = { doubled: input.n * 2 }", input: { n: 21 }, wait: false };
    const accepted = await request(url, "/v1/sandbox/executions", { token, body: program, headers: { "x-request-id": "flow-1" } });
    expect(accepted.status).toBe(202);
    const { taskId, execution } = accepted.body;
    expect(execution).toMatchObject({ status: "queued", taskId });

    // 5 to 10: the client waits for what the queue thread, the sandbox thread, a cell, the outbox and the bus bring it.
    const { events } = await readStream(url, `/v1/tasks/${taskId}/stream`, { token });
    expect(events.map(({ event, data }) => [event, data.status ?? data.message])).toEqual([
      ["state", "waiting"],
      ["state", "active"],
      ["log", "on my way"],
      ["state", "completed"],
      ["result", "completed"],
    ]);
    expect(events.map(({ id }) => id)).toEqual(["1", "2", "3", "4", "5"]);
    expect(events.at(-1)?.data.result.execution).toMatchObject({ id: execution.id, status: "succeeded", output: { doubled: 42 } });

    // What was written: one finished execution, one finished task, and an outbox that is empty again.
    const stored = await request(url, `/v1/sandbox/executions/${execution.id}`, { token });
    expect(stored.body.execution).toMatchObject({ status: "succeeded", output: { doubled: 42 }, taskId });
    const [task] = await database`select status, owner_id, attempts from tasks where id = ${taskId}`;
    expect(task).toEqual({ status: "completed", owner_id: userId, attempts: 1 });
    await until("the outbox is empty", async () => (await database`select 1 from outbox`).length === 0);
    if (substrate === "postgres") {
      const announced = await database`select type, event::json->>'audience' as audience, event::json->'data' as data from bus_events
          where event::json->>'subject' in (${taskId}, ${execution.id}) order by seq`;
      expect(announced.filter(({ type }) => type === "sandbox.execution.finished")).toEqual([
        expect.objectContaining({ type: "sandbox.execution.finished", audience: userId }),
      ]);
      const changes = announced.filter(({ type }) => type === "task.changed");
      expect(changes.at(-1)).toMatchObject({ audience: userId, data: { queue: "sandbox-execution", status: "completed", seq: 5 } });
    }
    await database.end();
  }, 30_000);
});
