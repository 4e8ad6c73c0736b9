import { beforeAll, describe, expect, test } from "bun:test";
import { EventSource } from "eventsource";
import { readStream, request, type SignedInUser, type StreamEvent, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const lines = 5;
/** Says `lines` things and takes a while, so that a reader can come before the end: waiting, active, the lines, completed, result. */
const program = (busyMs: number) =>
  `for (let n = 0; n < ${lines}; n++) console.log("line", n); const end = Date.now() + ${busyMs}; while (Date.now() < end); output = "done"`;
const length = lines + 4;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

async function submit(url: string, token: string, busyMs = 0): Promise<string> {
  const body = { code: program(busyMs), timeoutMs: busyMs + 2_000, wait: false };
  const answer = await request(url, "/v1/sandbox/executions", { token, body });
  expect(answer.status).toBe(202);
  return answer.body.taskId;
}

describe.each(await substrates())("the stream of a task on %s", (substrate) => {
  const running = sharedCopy(substrate, { KEELSON_SANDBOX_CELLS: "4" });
  let user: SignedInUser;
  let finished: string;
  let whole: StreamEvent[];

  const read = (task: string, options: { readonly lastEventId?: string; readonly drop?: number } = {}) => {
    const { drop, lastEventId } = options;
    return readStream(running.url, `/v1/tasks/${task}/stream`, {
      token: user.token,
      ...(lastEventId ? { lastEventId } : {}),
      ...(drop ? { enough: (events: readonly StreamEvent[]) => events.length >= drop } : {}),
    });
  };
  const resume = (task: string, lastEventId: string) =>
    request(running.url, `/v1/tasks/${task}/stream`, { token: user.token, headers: { "last-event-id": lastEventId } });

  beforeAll(async () => {
    user = await signUp(running.url);
    finished = await submit(running.url, user.token);
    whole = (await read(finished)).events;
  }, 30_000);

  test("the whole of it, while it happens and afterwards: ids 1 to N, the result last", async () => {
    expect(whole.map(({ id }) => id)).toEqual(numbers(length));
    expect(whole.map(({ event }) => event)).toEqual(["state", "state", ...Array<string>(lines).fill("log"), "state", "result"]);
    expect(whole.filter(({ event }) => event === "log").map(({ data }) => data.message)).toEqual([
      "line 0",
      "line 1",
      "line 2",
      "line 3",
      "line 4",
    ]);
    expect(whole.at(-1)?.data).toMatchObject({ status: "completed", result: { execution: { status: "succeeded", output: "done" } } });
    expect((await read(finished)).events).toEqual(whole);
  });

  test("of a finished task: dropped after each n and resumed, nothing is missing and nothing comes twice", async () => {
    for (let n = 1; n < length; n += 1) {
      const before = await read(finished, { drop: n });
      const after = await read(finished, { lastEventId: String(n) });
      expect([...before.events, ...after.events]).toEqual(whole);
    }
  });

  test("of a running task: dropped after each n and resumed", async () => {
    const drops = Array.from({ length: length - 1 }, (_, index) => index + 1);
    await Promise.all(
      drops.map(async (n) => {
        const task = await submit(running.url, user.token, 150);
        const before = await read(task, { drop: n });
        expect(before.events.map(({ id }) => id)).toEqual(numbers(n));
        const after = await read(task, { lastEventId: String(n) });
        expect([...before.events, ...after.events]).toEqual((await read(task)).events);
        expect(after.events.at(-1)?.id).toBe(String(length));
      }),
    );
  }, 30_000);

  test("a reader that is dropped after every single event sees them all", async () => {
    const task = await submit(running.url, user.token, 150);
    const seen: StreamEvent[] = [];
    while (seen.at(-1)?.event !== "result") {
      const { events } = await read(task, { drop: 1, ...(seen.length > 0 ? { lastEventId: seen.at(-1)?.id ?? "" } : {}) });
      expect(events).toHaveLength(1);
      seen.push(...events);
    }
    expect(seen).toEqual((await read(task)).events);
  }, 15_000);

  test("readers that come at different times see the same", async () => {
    const task = await submit(running.url, user.token, 200);
    const first = [read(task), read(task)];
    await until(
      "it runs",
      async () => (await request(running.url, `/v1/tasks/${task}`, { token: user.token })).body.task.status === "active",
    );
    const all = await Promise.all([...first, read(task), read(task, { lastEventId: "1" })]);
    expect(all.map(({ events }) => events.length)).toEqual([length, length, length, length - 1]);
    for (const { events } of all) expect(events).toEqual(all[0]?.events.slice(-events.length) ?? []);
  }, 15_000);

  test("two hundred readers of one running task", async () => {
    const task = await submit(running.url, user.token, 300);
    const all = await Promise.all(Array.from({ length: 200 }, () => read(task)));
    for (const { events } of all) expect(events.map(({ id }) => id)).toEqual(numbers(length));
  }, 30_000);

  test("a program that fails, and one that runs too long, end in a result too", async () => {
    for (const [code, status] of [
      ["throw new TypeError('no')", "failed"],
      ["while (true);", "timeout"],
    ] as const) {
      const { body } = await request(running.url, "/v1/sandbox/executions", {
        token: user.token,
        body: { code, timeoutMs: 100, wait: false },
      });
      const { events } = await read(body.taskId);
      expect(events.at(-1)?.data.result.execution.status).toBe(status);
    }
  }, 15_000);

  test("resuming after the result: 204, which tells an EventSource to stop", async () => {
    const answer = await resume(finished, String(length));
    expect([answer.status, answer.body]).toEqual([204, ""]);
  });

  test.each(["abc", "-1", "1.5", "1e1", "0x1", "1 2", "999999999999", "evt_1", "%31", "NaN"])("Last-Event-ID %s: 400", async (id) => {
    expectProblem(await resume(finished, id), "invalid_cursor");
  });

  test.each([length + 1, 999_999_999])("Last-Event-ID %d, beyond the end: 400", async (id) => {
    expectProblem(await resume(finished, String(id)), "invalid_cursor");
  });

  test("Last-Event-ID 0 is the beginning", async () => {
    expect((await read(finished, { lastEventId: "0" })).events).toEqual(whole);
  });

  test("headers", async () => {
    const answer = await fetch(`${running.url}/v1/tasks/${finished}/stream`, { headers: { authorization: `Bearer ${user.token}` } });
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect([answer.headers.get("cache-control"), answer.headers.get("x-accel-buffering")]).toEqual(["no-store", "no"]);
    expect(answer.headers.get("ratelimit")).toMatch(/^"default"/);
    expect(await answer.text()).toStartWith("retry: 2000\n\nid: 1\nevent: state\ndata: {");
  });

  test("somebody else's task, and one that does not exist: the same 404", async () => {
    const stranger = await signUp(running.url);
    for (const headers of [{}, { "last-event-id": "1" }, { "last-event-id": "999" }]) {
      const others = await request(running.url, `/v1/tasks/${finished}/stream`, { token: stranger.token, headers });
      const missing = await request(running.url, "/v1/tasks/tsk_none/stream", { token: stranger.token, headers });
      expectProblem(others, "not_found");
      expectProblem(missing, "not_found");
      expect(others.body.detail.replace(finished, "X")).toBe(missing.body.detail.replace("tsk_none", "X"));
    }
    expectProblem(await request(running.url, `/v1/tasks/${finished}/stream`), "unauthenticated");
  });

  test("the `eventsource` package: resumes by itself after a cut, and stops at the 204", async () => {
    const task = await submit(running.url, user.token, 100);
    const asked: (string | undefined)[] = [];
    const source = new EventSource(`${running.url}/v1/tasks/${task}/stream`, {
      fetch: async (input, init) => {
        asked.push(init.headers["Last-Event-ID"]);
        const answer = await fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${user.token}` } });
        return asked.length === 1 && answer.body ? new Response(cutAfter(answer.body, 3), answer) : answer;
      },
    });
    const seen: string[] = [];
    for (const name of ["state", "log", "progress", "result"]) source.addEventListener(name, ({ lastEventId }) => seen.push(lastEventId));
    await until("it has stopped by itself", () => source.readyState === source.CLOSED, 15_000);
    expect(seen).toEqual(numbers(length));
    expect(asked).toEqual([undefined, "3", String(length)]);
  }, 20_000);
});

/** The first `frames` events of a stream; then the connection breaks. */
function cutAfter(body: ReadableStream<Uint8Array>, frames: number): ReadableStream<Uint8Array> {
  let text = "";
  const decoder = new TextDecoder();
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        text += decoder.decode(chunk, { stream: true });
        // The first frame is `retry`.
        const whole = text.split("\n\n").slice(0, -1);
        if (whole.length < frames + 1) return;
        controller.enqueue(new TextEncoder().encode(`${whole.slice(0, frames + 1).join("\n\n")}\n\n`));
        controller.error(new TypeError("the connection was cut"));
      },
    }),
  );
}

describe.each(await substrates())("shutdown on %s", (substrate) => {
  test("open streams end within the grace period; their clients resume at another copy", async () => {
    await using first = await startTestCopy(substrate, { KEELSON_SHUTDOWN_GRACE_MS: "800" });
    const { token } = await signUp(first.url);
    const task = await submit(first.url, token, 6_000);
    const reading = readStream(first.url, `/v1/tasks/${task}/stream`, { token });
    await until("it runs", async () => (await request(first.url, `/v1/tasks/${task}`, { token })).body.task.status === "active");
    const startedAt = performance.now();
    const closed = first.copy.close();
    const { events } = await reading;
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await closed;
    expect(events.map(({ id }) => id)).toEqual(numbers(events.length));
    expect(events.at(-1)?.event).not.toBe("result");

    const { DATABASE_URL = "", KEELSON_KEY_PREFIX, KEELSON_DATA_DIR } = first.config;
    await using second = await startTestCopy(substrate, { DATABASE_URL, KEELSON_KEY_PREFIX, KEELSON_DATA_DIR });
    const rest = await readStream(second.url, `/v1/tasks/${task}/stream`, { token, lastEventId: events.at(-1)?.id ?? "0" });
    expect([...events, ...rest.events].map(({ id }) => id)).toEqual(numbers(events.length + rest.events.length));
    expect(rest.events.at(-1)?.data).toMatchObject({ status: "completed", result: { execution: { output: "done" } } });
  }, 90_000);
});
