import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EventSource } from "eventsource";
import type { Browser } from "playwright-core";
import type { Bus } from "../../app/platform/bus/port.ts";
import { openBus } from "../../app/platform/substrate.ts";
import { launchChromium } from "../chromium.ts";
import { readStream, request, type SignedInUser, type StreamEvent, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { testLogger } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { openTcpProxy } from "../tcp-proxy.ts";
import { until } from "../until.ts";
import { makeTeam, publish, registerType } from "./events.ts";

const numbers = (events: readonly StreamEvent[]) => events.map(({ data }) => data.data.n);
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => n + from);

/** What a stream has brought so far; it is open when this resolves. */
async function openStream(url: string, path: string, token: string, lastEventId?: string) {
  const abort = new AbortController();
  const answer = await fetch(`${url}/v1/events/stream${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(lastEventId ? { "last-event-id": lastEventId } : {}) },
    signal: abort.signal,
  });
  const state = { text: "", isOver: false };
  const reading = (async () => {
    if (!answer.body) return;
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) state.text += chunk;
  })()
    .catch(() => undefined)
    .then(() => {
      state.isOver = true;
    });
  await until("the stream is open", () => state.text.includes("retry:"));
  const events = (): StreamEvent[] =>
    state.text.split("\n\n").flatMap((frame) => {
      const fields = new Map(
        frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const),
      );
      const data = fields.get("data");
      return data === undefined ? [] : [{ id: fields.get("id") ?? "", event: fields.get("event") ?? "", data: JSON.parse(data) }];
    });
  return {
    answer,
    state,
    events,
    close: async () => {
      abort.abort();
      await reading;
    },
  };
}

/** A stream begins with what comes once its copy listens; this event marks that it does. */
async function openListening(url: string, { type, token }: { readonly type: string; readonly token: string }, query = `?pattern=${type}`) {
  const stream = await openStream(url, query, token);
  await until("the stream listens", async () => {
    await publish(url, token, { type, data: { n: -1 } });
    return stream.events().length > 0;
  });
  const rest = () => stream.events().filter(({ data }) => data.data?.n !== -1);
  return { ...stream, rest };
}

describe.each(await substrates())("the stream on %s", (substrate) => {
  const running = sharedCopy(substrate, adminSettings);
  let user: SignedInUser;
  let type: string;
  beforeAll(async () => {
    user = await signUp(running.url);
    type = await registerType(running.url);
  });

  test("events as they happen, as CloudEvents, those of its patterns", async () => {
    const [other, third] = [await registerType(running.url), await registerType(running.url)];
    const stream = await openListening(running.url, { type, token: user.token }, `?pattern=${type}&pattern=${other}`);
    const [id] = await publish(running.url, user.token, { type, subject: "s", data: { n: 1 } });
    await publish(running.url, user.token, [
      { type: third, data: { n: 2 } },
      { type: other, data: { n: 3 } },
    ]);
    await until("both came", () => stream.rest().length >= 2);
    expect(stream.rest()[0]).toMatchObject({ event: "message", data: { specversion: "1.0", id, type, subject: "s", data: { n: 1 } } });
    expect(stream.rest().map((it) => it.data.type)).toEqual([type, other]);
    expect(stream.rest().every((it) => it.id === it.data.cursor)).toBe(true);
    expect(stream.answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(stream.answer.headers.get("cache-control")).toBe("no-store");
    expect(stream.answer.headers.get("x-accel-buffering")).toBe("no");
    await stream.close();
  });

  test("without a pattern: all that the caller may see, and nothing else", async () => {
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const stream = await openListening(running.url, { type, token: ada.token }, "");
    await publish(running.url, eve.token, { type, data: { n: 1 } });
    await publish(running.url, await adminToken(running.url), { type, audience: ada.id, data: { n: 2 } });
    await publish(running.url, ada.token, { type, data: { n: 3 } });
    await until("hers came", () => stream.rest().some(({ data }) => data.data.n === 3));
    expect(numbers(stream.rest().filter(({ data }) => data.type === type))).toEqual([2, 3]);
    await stream.close();
  });

  test("it resumes where it was, at another copy too: nothing is missing and nothing comes twice", async () => {
    const own = await registerType(running.url);
    const stream = await openListening(running.url, { type: own, token: user.token });
    await publish(
      running.url,
      user.token,
      upTo(20).map((n) => ({ type: own, data: { n } })),
    );
    await until("some came", () => stream.rest().length >= 20);
    await stream.close();
    const seen = stream.rest().slice(0, 13);
    await publish(
      running.url,
      user.token,
      upTo(700, 20).map((n) => ({ type: own, data: { n } })),
    );
    await using other = await startTestCopy(substrate, {
      ...adminSettings,
      DATABASE_URL: running.config.DATABASE_URL ?? "",
      KEELSON_KEY_PREFIX: running.config.KEELSON_KEY_PREFIX,
    });
    const resumed = await openStream(other.url, `?pattern=${own}`, user.token, seen.at(-1)?.id);
    await until("the log was read", () => resumed.events().length >= 707);
    await publish(
      running.url,
      user.token,
      upTo(5, 720).map((n) => ({ type: own, data: { n } })),
    );
    await until("and then what comes", () => resumed.events().length >= 712);
    expect(numbers([...seen, ...resumed.events()])).toEqual(upTo(725));
    await resumed.close();
  }, 40_000);

  test("many connect again and again while events come: each sees each id exactly once, in order", async () => {
    const own = await registerType(running.url);
    const [start] = [await openListening(running.url, { type: own, token: user.token })];
    const from = start.events().at(-1)?.id ?? "";
    await start.close();
    const total = 300;
    const publishing = (async () => {
      for (let n = 0; n < total; n += 10)
        await publish(
          running.url,
          user.token,
          upTo(10, n).map((it) => ({ type: own, data: { n: it } })),
        );
    })();
    const readAll = async () => {
      const seen: StreamEvent[] = [];
      let lastEventId = from;
      while (seen.length < total) {
        const some = 1 + Math.floor(Math.random() * 40);
        const { events } = await readStream(running.url, `/v1/events/stream?pattern=${own}`, {
          token: user.token,
          lastEventId,
          enough: (events) => events.length >= some || seen.length + events.length >= total,
        });
        // A mark of the beginning may have been published late.
        seen.push(...events.filter(({ data }) => data.data.n >= 0));
        lastEventId = events.at(-1)?.id ?? lastEventId;
      }
      return seen;
    };
    const readers = await Promise.all([readAll(), readAll(), readAll(), readAll()]);
    await publishing;
    for (const seen of readers) expect(numbers(seen)).toEqual(upTo(total));
  }, 30_000);

  test("a cursor that is trimmed, and one of another log: `gap` says so", async () => {
    const own = await registerType(running.url);
    const [, second] = await publish(
      running.url,
      user.token,
      upTo(3).map((n) => ({ type: own, data: { n } })),
    );
    const { data } = (await request(running.url, `/v1/events?pattern=${own}`, { token: user.token })).body;
    const bus = openBus(
      { config: running.config, databaseUrl: running.config.DATABASE_URL ?? "" },
      { connectionsMax: 2, applicationName: "trim", log: testLogger("bus") },
    );
    await bus.trim({ lengthMax: await lengthFrom(bus, second ?? "") });
    await bus.close();
    const behind = await openStream(running.url, `?pattern=${own}`, user.token, "1-0");
    await until("it is said, and what is left comes", () => behind.events().length >= 2);
    const [gap, ...left] = behind.events();
    expect(gap).toMatchObject({ event: "gap", id: data[1].cursor, data: { after: "1-0", resumedAfter: data[1].cursor } });
    expect(numbers(left)).toEqual([2]);
    await behind.close();
    const resumed = await openStream(running.url, `?pattern=${own}`, user.token, gap?.id);
    await until("from there on there is no gap", () => resumed.events().length > 0);
    expect(numbers(resumed.events())).toEqual([2]);
    await resumed.close();

    const ahead = await openStream(running.url, `?pattern=${type}`, user.token, "9000000000000000000-0");
    await until("it is said", () => ahead.events().length > 0);
    expect(ahead.events()[0]).toMatchObject({ event: "gap", data: { after: "9000000000000000000-0" } });
    await ahead.close();
  });

  test("who comes to a team sees its events, and who leaves does not", async () => {
    const own = await registerType(running.url);
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const stream = await openListening(running.url, { type: own, token: eve.token });
    const team = await makeTeam(running.url, ada);
    await publish(running.url, team.key, { type: own, data: { n: 1 } });
    const mine = await makeTeam(running.url, eve);
    await until("the new team's come", async () => {
      await publish(running.url, mine.key, { type: own, data: { n: 2 } });
      return stream.rest().length > 0;
    });
    await request(running.url, `/v1/teams/${mine.id}`, { method: "DELETE", token: eve.token });
    expect(numbers(stream.rest()).every((n) => n === 2)).toBe(true);
    await stream.close();
  });

  test("it ends when the session is revoked", async () => {
    const ada = await signUp(running.url);
    const stream = await openListening(running.url, { type, token: ada.token });
    await request(running.url, "/v1/auth/logout", { method: "POST", token: ada.token });
    await until("it is over", () => stream.state.isOver, 3_000);
  });

  test("the bus thread dies: streams go on without a gap", async () => {
    const own = await registerType(running.url);
    const stream = await openListening(running.url, { type: own, token: user.token });
    await publish(
      running.url,
      user.token,
      upTo(10).map((n) => ({ type: own, data: { n } })),
    );
    await running.copy.threads.bus.kill();
    await publish(
      running.url,
      user.token,
      upTo(10, 10).map((n) => ({ type: own, data: { n } })),
    );
    await until("it is back", () => running.copy.threads.bus.state === "ready", 10_000);
    await publish(
      running.url,
      user.token,
      upTo(10, 20).map((n) => ({ type: own, data: { n } })),
    );
    await until("all came", () => stream.rest().length >= 30, 10_000);
    expect(numbers(stream.rest())).toEqual(upTo(30));
    await stream.close();
  }, 30_000);

  test("many streams of many patterns at once: each has all of its own and nothing else, also those that read slowly", async () => {
    const types = await Promise.all(upTo(4).map(() => registerType(running.url)));
    const [first, ...rest] = types;
    if (!first) return;
    const streams = await Promise.all(
      upTo(24).map((n) => openListening(running.url, { type: first, token: user.token }, `?pattern=${first}&pattern=${types[n % 4]}`)),
    );
    const total = 400;
    for (let n = 0; n < total; n += 20)
      await publish(
        running.url,
        user.token,
        upTo(20, n).map((it) => ({ type: types[it % 4], data: { n: it, pad: "x".repeat(500) } })),
      );
    for (const [index, stream] of streams.entries()) {
      const wanted = upTo(total).filter((n) => n % 4 === 0 || n % 4 === index % 4);
      await until("all came", () => stream.rest().length >= wanted.length);
      expect(numbers(stream.rest())).toEqual(wanted);
    }
    expect(rest).toHaveLength(3);
    await Promise.all(streams.map((it) => it.close()));
  }, 30_000);

  describe("what is refused", () => {
    const open = (query: string, headers: Readonly<Record<string, string>> = {}) =>
      request(running.url, `/v1/events/stream${query}`, { token: user.token, headers });

    test.each(["x", "1", "-1-0", "1-0-0", "$", "99999999999999999999-0"])("Last-Event-ID %p", async (id) =>
      expectProblem(await open("", { "last-event-id": id }), "invalid_cursor"),
    );
    test("a bad pattern, and too many", async () => {
      const answer = await open("?pattern=ok.*&pattern=a..b");
      expectProblem(answer, "invalid_pattern");
      expect(answer.body.detail).toContain('"a..b" has an empty segment at position 3');
      const many = await open(
        `?${upTo(21)
          .map((n) => `pattern=p${n}.x`)
          .join("&")}`,
      );
      expectProblem(many, "too_many_streams");
      expect(many.headers.get("retry-after")).not.toBeNull();
    });
    test("no log-in", async () => expectProblem(await request(running.url, "/v1/events/stream"), "unauthenticated"));
  });
});

test("more streams than a user may have: 429; one that ends makes room", async () => {
  await using own = await startTestCopy("postgres", { ...adminSettings, KEELSON_STREAMS_MAX: "3" });
  const user = await signUp(own.url);
  const streams = await Promise.all(upTo(3).map(() => openStream(own.url, "", user.token)));
  expectProblem(await request(own.url, "/v1/events/stream", { token: user.token }), "too_many_streams");
  const other = await signUp(own.url);
  await (await openStream(own.url, "", other.token)).close();
  await streams[0]?.close();
  await until("there is room", async () => {
    const again = await fetch(`${own.url}/v1/events/stream`, {
      headers: { authorization: `Bearer ${user.token}` },
      signal: AbortSignal.timeout(1_000),
    });
    await again.body?.cancel();
    return again.status === 200;
  });
  await Promise.all(streams.map((it) => it.close()));
}, 30_000);

describe("clients as they are", () => {
  const running = sharedCopy("postgres", adminSettings);
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterAll(() => browser?.close());

  test("the `eventsource` package resumes by itself after cuts, with characters cut in two", async () => {
    const user = await signUp(running.url);
    const type = await registerType(running.url);
    const proxy = await openTcpProxy(running.url);
    const asked: (string | undefined)[] = [];
    const source = new EventSource(`${proxy.url}v1/events/stream?pattern=${type}`, {
      fetch: async (input, init) => {
        asked.push(init.headers["Last-Event-ID"]);
        const answer = await fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${user.token}` } });
        return answer.body ? new Response(byteByByte(answer.body), answer) : answer;
      },
    });
    const seen: { n: number; text: string }[] = [];
    source.onmessage = ({ data }) => seen.push(JSON.parse(data).data);
    await until("it listens", async () => {
      await publish(running.url, user.token, { type, data: { n: -1 } });
      return seen.length > 0;
    });
    const text = "žluťoučký 🐎 \u2028 konec";
    for (const round of upTo(3)) {
      await publish(
        running.url,
        user.token,
        upTo(5, round * 5).map((n) => ({ type, data: { n, text } })),
      );
      await until("they came", () => seen.filter(({ n }) => n >= 0).length >= (round + 1) * 5, 15_000);
      proxy.cut();
    }
    await until("it asked again", () => asked.length >= 4, 15_000);
    source.close();
    const events = seen.filter(({ n }) => n >= 0);
    expect(events.map(({ n }) => n)).toEqual(upTo(15));
    expect(events.every((event) => event.text === text)).toBe(true);
    expect(asked.slice(1).every((id) => /^\d+-\d+$/.test(id ?? ""))).toBe(true);
    await proxy.refuse();
  }, 60_000);

  test("a browser's EventSource: ids, retry, resuming at the copy that comes back", async () => {
    if (!browser) return;
    const user = await signUp(running.url);
    const type = await registerType(running.url);
    const proxy = await openTcpProxy(running.url);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${proxy.url}healthz`);
    const { email, password } = user;
    const body = JSON.stringify(JSON.stringify({ email, password }));
    await page.evaluate(`fetch("/v1/auth/login", {
      method: "POST", headers: { "content-type": "application/json", "x-session-transport": "cookie" }, body: ${body},
    })`);
    await page.evaluate(`
      globalThis.seen = [];
      new EventSource("/v1/events/stream?pattern=${type}").onmessage = ({ data, lastEventId }) => seen.push([data, lastEventId]);
    `);
    const seen = async () => {
      const pairs: [string, string][] = await page.evaluate(() => Reflect.get(globalThis, "seen"));
      return pairs.map(([data, id]) => ({ event: JSON.parse(data), id })).filter(({ event }) => event.data.n >= 0);
    };
    await until("it listens", async () => {
      await publish(running.url, user.token, { type, data: { n: -1 } });
      return (await page.evaluate(() => Reflect.get(globalThis, "seen").length)) > 0;
    });
    await publish(
      running.url,
      user.token,
      upTo(5).map((n) => ({ type, data: { n } })),
    );
    await until("they came", async () => (await seen()).length >= 5);
    proxy.cut();
    await publish(
      running.url,
      user.token,
      upTo(5, 5).map((n) => ({ type, data: { n } })),
    );
    await until("the rest came after it had connected again", async () => (await seen()).length >= 10, 15_000);
    const all = await seen();
    expect(all.map(({ event }) => event.data.n)).toEqual(upTo(10));
    expect(all.every(({ event, id }) => event.cursor === id)).toBe(true);
    await context.close();
    await proxy.refuse();
  }, 60_000);
});

/** How many events came after the one with this id. */
async function lengthFrom(bus: Bus, id: string): Promise<number> {
  return (await bus.readBack({ limit: 500 })).findIndex((event) => event.id === id);
}

function byteByByte(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        for (let at = 0; at < chunk.length; at += 1) controller.enqueue(chunk.subarray(at, at + 1));
      },
    }),
  );
}
