import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { request, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();

/** What comes back for these bytes until the server closes. */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(running.url);
  const answer = Promise.withResolvers<string>();
  let text = "";
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("close", () => answer.resolve(text));
  socket.on("error", answer.reject);
  return answer.promise;
}

describe("Host headers that are none", () => {
  test("HTTP/1.0 without one, as load balancers probe: the route is found", async () => {
    const answer = await exchange("GET /healthz HTTP/1.0\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.[01] 200 /);
    expect(answer.toLowerCase()).toContain("x-request-id: req_");
  });

  test.each(["[", "a b", "<x>", "%zz", "a:99999999", "..", "a/b"])("%j: no 500", async (host) => {
    const answer = await exchange(`GET /nope HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
    expect(answer).not.toContain("Something went wrong");
  });
});

describe("HEAD", () => {
  test("on an event stream: the headers, and no stream stays open", async () => {
    const { token } = await signUp(running.url);
    const { body } = await request(running.url, "/v1/sandbox/executions", { token, body: { code: "1", wait: false } });
    const task = `/v1/tasks/${body.taskId}`;
    await until("it is done", async () => (await request(running.url, task, { token })).body.task.status === "completed");
    for (let n = 0; n < 10; n += 1) await request(running.url, `${task}/stream`, { token, method: "HEAD" });
    expect(running.copy.openStreams()).toBe(0);
  });
});

describe("bodies that cost more than they say", () => {
  test("ten thousand unknown fields: a bounded number of errors", async () => {
    const body = Object.fromEntries(Array.from({ length: 4_000 }, (_, n) => [`f${n}`, 1]));
    const answer = await request(running.url, "/v1/auth/login", { body });
    expectProblem(answer, "validation_failed");
    expect(answer.body.errors.length).toBeLessThanOrEqual(150);
  });

  test("log-in bodies are small", async () => {
    const answer = await request(running.url, "/v1/auth/signup", {
      body: { email: `a@${"a.".repeat(40_000)}!`, password: "correct horse battery" },
    });
    expectProblem(answer, "payload_too_large");
  });

  test("an input of many small parts does not hold up the others", async () => {
    const { token } = await signUp(running.url);
    const wide = JSON.stringify({
      code: "input.length",
      memoryBytes: 134_217_728,
      timeoutMs: 5_000,
      input: Array.from({ length: 300_000 }, () => []),
    });
    const answer = await request(running.url, "/v1/sandbox/executions", {
      token,
      rawBody: wide,
      headers: { "content-type": "application/json" },
    });
    expect([answer.status, answer.body.execution.status, answer.body.execution.output]).toEqual([200, "succeeded", 300_000]);
  });
});

describe("lists hold what fits in a list", () => {
  test("outputs, logs and results are in the things themselves", async () => {
    const { token } = await signUp(running.url);
    const { body } = await request(running.url, "/v1/sandbox/executions", {
      token,
      body: { code: "console.log('hi'); 'x'.repeat(1000)", wait: false },
    });
    const task = await until("it is done", async () => {
      const { task } = (await request(running.url, `/v1/tasks/${body.taskId}`, { token })).body;
      return task.status === "completed" ? task : undefined;
    });
    expect(task.result.execution.output).toHaveLength(1_000);
    const [execution] = (await request(running.url, "/v1/sandbox/executions", { token })).body.data;
    expect(execution).toMatchObject({ id: body.execution.id, status: "succeeded" });
    expect(Object.keys(execution)).not.toContain("output");
    const [listed] = (await request(running.url, "/v1/tasks", { token })).body.data;
    expect(listed).toMatchObject({ id: body.taskId, status: "completed" });
    expect(Object.keys(listed)).not.toContain("result");
  });
});
