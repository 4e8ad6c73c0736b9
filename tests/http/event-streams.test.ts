import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createRoutes } from "../../app/http/route.ts";
import {
  createEventStreams,
  type EventStreamOptions,
  type EventStreams,
  type SseMessage,
  type SseSink,
  type SseSource,
  type StreamOptions,
} from "../../app/http/sse.ts";
import { until } from "../until.ts";
import { type ServedRoutes, serveRoutes } from "./serve-routes.ts";

interface Streaming extends ServedRoutes {
  readonly streams: EventStreams;
}

const served: ServedRoutes[] = [];
afterEach(async () => {
  await Promise.all(served.splice(0).map((it) => it.stop(AbortSignal.abort())));
});

/** The real app with one route, /stream, that answers with `source`. */
function serve(source: SseSource, options: EventStreamOptions & Partial<StreamOptions> = {}): Streaming {
  const streams = createEventStreams(options);
  const routes = createRoutes();
  routes.get("/stream", (c) => streams.respond(c, source, { endless: false, ...options }));
  const running = serveRoutes(routes);
  served.push(running);
  return Object.defineProperties(running, { streams: { value: streams } }) as Streaming;
}

/** For one reader: yields what is pushed, until it is ended or nobody wants more; counts how often it was left. */
function tap() {
  const waiting: SseMessage[] = [];
  let news = Promise.withResolvers<void>();
  const state = { left: 0, over: false };
  const source: SseSource = async function* (signal) {
    signal.addEventListener("abort", () => news.resolve(), { once: true });
    try {
      while (!signal.aborted) {
        news = Promise.withResolvers<void>();
        yield* waiting.splice(0);
        if (state.over) return;
        await news.promise;
      }
    } finally {
      state.left += 1;
    }
  };
  return {
    source,
    state,
    push: (message: SseMessage) => {
      waiting.push(message);
      news.resolve();
    },
    end: () => {
      state.over = true;
      news.resolve();
    },
  };
}

/** What one connection has received so far. */
async function open(url: string) {
  const abort = new AbortController();
  const answer = await fetch(`${url}/stream`, { signal: abort.signal, headers: { "accept-encoding": "gzip, br" } });
  const received = { text: "", ended: false };
  const read = async (body: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) received.text += chunk;
  };
  const reading = (answer.body ? read(answer.body) : Promise.resolve())
    .catch(() => undefined)
    .then(() => {
      received.ended = true;
    });
  return { answer, received, reading, drop: () => abort.abort() };
}

const encode = (event: string, data: unknown, id = "0") =>
  new TextEncoder().encode(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
const count = (text: string, part: string) => text.split(part).length - 1;

describe("what is written", () => {
  test("headers that keep proxies from storing or holding it back, never compressed, and the reconnection time first", async () => {
    const { source, end } = tap();
    const { url } = serve(source);
    const { answer, received, reading } = await open(url);
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-accel-buffering")).toBe("no");
    expect([answer.headers.get("content-encoding"), answer.headers.get("content-length")]).toEqual([null, null]);
    expect(answer.headers.get("x-request-id")).toMatch(/^req_/);
    end();
    await reading;
    expect(received.text).toBe("retry: 2000\n\n");
  });

  test("frames: id, event and one line of JSON, whatever the data holds", async () => {
    const data = { text: "line\nbreak\r\n\u2028\u2029 data: x\n\nid: 9", emoji: "👩‍🚀", nul: "\0", nothing: null };
    const { url } = serve(async function* () {
      yield { id: "1", event: "state", data };
      yield { event: "bare", data: undefined };
    });
    const { received, reading } = await open(url);
    await reading;
    const [, first = "", second] = received.text.split("\n\n");
    expect(first.split("\n").map((line) => line.split(":")[0])).toEqual(["id", "event", "data"]);
    expect(JSON.parse(first.slice(first.indexOf("data: ") + 6))).toEqual(data);
    expect(second).toBe("event: bare\ndata: null");
  });

  test("10 000 messages arrive complete and in order", async () => {
    const { url } = serve(async function* () {
      for (let n = 1; n <= 10_000; n += 1) yield { id: String(n), event: "n", data: n };
    });
    const { received, reading } = await open(url);
    await reading;
    const ids = [...received.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
  });

  test("a message goes out when it comes, not when the next one does", async () => {
    const { source, push, end } = tap();
    const { url } = serve(source);
    const { received, reading } = await open(url);
    for (const id of ["1", "2", "3"]) {
      push({ id, event: "n", data: null });
      await until(`message ${id} is there`, () => received.text.endsWith(`id: ${id}\nevent: n\ndata: null\n\n`));
    }
    end();
    await reading;
  });
});

describe("heartbeat", () => {
  test("comments while the source is silent; the message that then comes is not lost and not doubled", async () => {
    const { source, push, end } = tap();
    const { url } = serve(source, { heartbeatMs: 20 });
    const { received, reading } = await open(url);
    await until("three heartbeats", () => count(received.text, ": heartbeat\n\n") >= 3);
    push({ id: "1", event: "n", data: null });
    await until("the message", () => received.text.includes("id: 1\n"));
    const soFar = count(received.text, ": heartbeat");
    await until("two more", () => count(received.text, ": heartbeat") >= soFar + 2);
    end();
    await reading;
    expect(count(received.text, "id: 1\n")).toBe(1);
  });
});

describe("a source that writes by itself", () => {
  test("what it writes goes out at once; heartbeats come with the position; then it is asked again", async () => {
    const over = Promise.withResolvers<void>();
    let sink: SseSink | undefined;
    const running = serve(
      async function* () {
        yield { id: "1", event: "n", data: 1 };
        yield {
          attach: async (given) => {
            sink = given;
            await over.promise;
          },
        };
        yield { id: "4", event: "n", data: 4 };
      },
      { heartbeatMs: 50, position: () => "3" },
    );
    const { received, reading } = await open(running.url);
    const written = await until("it is live", () => sink);
    await until("it has room", () => written.write(encode("n", 2, "2")));
    await until("it came", () => received.text.includes("id: 2\n"));
    await until("a heartbeat says where it is", () => count(received.text, ": heartbeat\nid: 3\n\n") >= 2);
    over.resolve();
    await reading;
    expect(received.text.replaceAll(": heartbeat\nid: 3\n\n", "")).toBe(
      "retry: 2000\n\nid: 1\nevent: n\ndata: 1\n\nid: 2\nevent: n\ndata: 2\n\nid: 4\nevent: n\ndata: 4\n\n",
    );
    expect(written.write(encode("n", 5))).toBe(false);
  });

  test("the client goes away, and the shutdown ends it", async () => {
    const state = { left: 0 };
    const running = serve(
      async function* (signal) {
        try {
          yield { attach: () => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())) };
        } finally {
          state.left += 1;
        }
      },
      { endless: true },
    );
    const [first, second] = [await open(running.url), await open(running.url)];
    first.drop();
    await until("it is left", () => state.left === 1 && running.streams.open === 1);
    await running.streams.drain(new AbortController().signal);
    await second.reading;
    await until("both are left", () => state.left === 2);
  });
});

describe("the client goes away", () => {
  test("while the source is silent: the source is told and left", async () => {
    const { source, state } = tap();
    const { url, streams } = serve(source);
    const { received, drop } = await open(url);
    await until("it is open", () => received.text !== "" && streams.open === 1);
    drop();
    await until("the source was left", () => state.left === 1 && streams.open === 0);
  });

  test("in the middle of a flood", async () => {
    const state = { left: 0, made: 0 };
    const { url, streams } = serve(async function* () {
      try {
        for (; ; state.made += 1) yield { event: "n", data: state.made };
      } finally {
        state.left += 1;
      }
    });
    const { received, drop } = await open(url);
    await until("some came", () => received.text.length > 100_000);
    drop();
    await until("the source was left", () => state.left === 1 && streams.open === 0);
    const { made } = state;
    await Bun.sleep(0);
    expect(state.made).toBe(made);
  });

  test("a hundred streams that are dropped leave nothing open", async () => {
    const state = { left: 0 };
    const { url, streams } = serve(async function* (signal) {
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => aborted.resolve());
      try {
        yield { event: "n", data: null };
        await aborted.promise;
      } finally {
        state.left += 1;
      }
    });
    const all = await Promise.all(Array.from({ length: 100 }, () => open(url)));
    await until("all have read", () => all.every(({ received }) => received.text.includes("event: n")));
    for (const { drop } of all) drop();
    await until("all were left", () => state.left === 100 && streams.open === 0);
  });
});

test("a source that throws ends the stream, and the log has the reason", async () => {
  const { url, streams, log } = serve(async function* () {
    yield { id: "1", event: "n", data: null };
    throw new Error("the store is gone");
  });
  const { received, reading } = await open(url);
  await reading;
  expect(received.text).toContain("id: 1\n");
  expect(received.text).not.toContain("the store is gone");
  await until("it is closed", () => streams.open === 0);
  expect(JSON.stringify(log.find(({ msg }) => msg === "event stream ended by an error"))).toContain("the store is gone");
});

// A source that never waits held the thread for as long as its client kept up. The client must be another process to keep up.
test("a flood to a fast reader leaves room for other requests", async () => {
  const { url, streams } = serve(async function* () {
    for (let n = 0; ; n += 1) yield { event: "n", data: n };
  });
  const program = `for await (const chunk of (await fetch("${url}/stream")).body);`;
  const reader = Bun.spawn([process.execPath, "-e", program], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  await until("it reads", () => streams.open === 1);
  for (let n = 0; n < 20; n += 1) expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(streams.open).toBe(1);
  reader.kill();
  await until("it is closed", () => streams.open === 0);
}, 20_000);

describe("a client that does not read", () => {
  test("is bounded, is cut with a reason in the log, and does not keep its connection", async () => {
    const state = { left: 0, made: 0 };
    const megabyte = "x".repeat(1_000_000);
    const running = serve(
      async function* () {
        try {
          for (;;) {
            state.made += 1;
            yield { event: "n", data: megabyte };
          }
        } finally {
          state.left += 1;
        }
      },
      { stalledMs: 200 },
    );
    const socket = await deafClient(running.url);
    await until("it is cut", () => running.streams.open === 0 && state.left === 1);
    // What the sockets of both sides hold is some megabytes; a source that is not held back makes thousands of them in 200 ms.
    expect(state.made).toBeLessThan(40);
    expect(running.log.find(({ msg }) => msg === "event stream cut: the client does not read")).toMatchObject({ stalledMs: 200 });
    // Resolves only when no connection is left: without the linger limit this one stayed for ever.
    await running.stop(new AbortController().signal);
    socket.destroy();
  }, 20_000);

  test("others on the same copy notice nothing", async () => {
    const { source, push, end } = tap();
    const { url } = serve(source);
    const flood = serve(async function* () {
      for (;;) yield { event: "n", data: "x".repeat(100_000) };
    });
    const deaf = await Promise.all(Array.from({ length: 10 }, () => deafClient(flood.url)));
    const { received, reading } = await open(url);
    push({ id: "1", event: "n", data: null });
    await until("the message", () => received.text.includes("id: 1\n"), 2_000);
    end();
    await reading;
    for (const socket of deaf) socket.destroy();
    await until("the flood is over", () => flood.streams.open === 0);
  });

  test("a source that writes by itself is refused while the client has not taken what came before, and the client is cut", async () => {
    const state = { taken: 0, refused: 0, rounds: 0, left: 0 };
    const megabyte = encode("n", "x".repeat(1_000_000));
    const running = serve(
      async function* (signal) {
        try {
          for (;;) {
            state.rounds += 1;
            yield {
              attach: async (sink) => {
                while (!signal.aborted && sink.write(megabyte)) {
                  state.taken += 1;
                  await Bun.sleep(1);
                }
                state.refused += 1;
              },
            };
          }
        } finally {
          state.left += 1;
        }
      },
      { stalledMs: 200, heartbeatMs: 100 },
    );
    const socket = await deafClient(running.url);
    await until("it is cut", () => running.streams.open === 0 && state.left === 1);
    expect(state.taken).toBeLessThan(40);
    expect(state.refused).toBeGreaterThan(0);
    expect(running.log.find(({ msg }) => msg === "event stream cut: the client does not read")).toBeDefined();
    await running.stop(new AbortController().signal);
    socket.destroy();
  }, 20_000);

  async function deafClient(url: string): Promise<Socket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.pause();
    socket.on("error", () => undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.write("GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n", () => resolve());
    await promise;
    return socket;
  }
});

describe("shutdown", () => {
  test("closes endless streams at once and lets the others come to their end", async () => {
    const endless = tap();
    const finite = tap();
    const streams = createEventStreams();
    const routes = createRoutes();
    routes.get("/stream", (c) => streams.respond(c, endless.source, { endless: true }));
    routes.get("/task/stream", (c) => streams.respond(c, finite.source, { endless: false }));
    const running = serveRoutes(routes);
    served.push(running);
    const first = await open(running.url);
    const second = await open(`${running.url}/task`);
    await until("both are open", () => streams.open === 2);

    const drained = streams.drain(new AbortController().signal);
    await first.reading;
    await until("one is left", () => streams.open === 1);
    expect([endless.state.left, finite.state.left, second.received.ended]).toEqual([1, 0, false]);
    finite.push({ id: "1", event: "result", data: null });
    finite.end();
    await Promise.all([drained, second.reading]);
    expect(second.received.text).toContain("id: 1\n");
    // A client that comes back while the copy is still closing is sent away at once.
    await (await open(running.url)).reading;
  });

  test("closes all that are left when the grace is over", async () => {
    const { source, state } = tap();
    const { url, streams } = serve(source);
    const { reading } = await open(url);
    await until("it is open", () => streams.open === 1);
    const grace = new AbortController();
    const drained = streams.drain(grace.signal);
    expect(streams.open).toBe(1);
    grace.abort();
    await Promise.all([drained, reading]);
    expect([state.left, streams.open]).toEqual([1, 0]);
  });

  test("draining nothing, or twice, or after the grace, ends", async () => {
    const { source } = tap();
    const { url, streams } = serve(source);
    await streams.drain(AbortSignal.abort());
    await open(url);
    await until("it is open", () => streams.open === 1);
    await Promise.all([streams.drain(AbortSignal.abort()), streams.drain(AbortSignal.abort())]);
    expect(streams.open).toBe(0);
  });
});
