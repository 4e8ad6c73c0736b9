import { describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import postgres from "postgres";
import { openBus } from "../../app/platform/substrate.ts";
import { readStream, request, type SignedInUser, type StreamEvent, signUp } from "../client.ts";
import { makeEvent } from "../conformance/bus.ts";
import { startTestCopy, substrates, type TestCopy } from "../copy.ts";
import { publish, registerType } from "../events/events.ts";
import { startReceiver } from "../events/receiver.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { endBackends, type OwnRedis, ownRedis, ownSentinels, testLogger, testPostgres, testRedis } from "../services.ts";
import { adminSettings } from "../tasks/tasks.ts";
import { until } from "../until.ts";

// Whatever happens to the parts it stands on: each event that was acknowledged is delivered at least once, those of one key in order, and a stream that is
// resumed brings each exactly once. The README's table of guarantees says this and no more.

const lanes = 4;
const perLane = 60;
const quickWebhooks = JSON.stringify({
  "webhook-delivery": { backoff: { pausesMs: [200] }, attempts: 50, concurrencyMin: 20, concurrencyMax: 50 },
});
const settings = {
  ...adminSettings,
  KEELSON_RATE_LIMIT_PER_MINUTE: "1000000",
  KEELSON_WEBHOOK_NETWORKS: "127.0.0.0/8",
  KEELSON_QUEUES: quickWebhooks,
};

interface Following {
  /** What the stream has brought. */
  readonly seen: readonly StreamEvent[];
  stop(): void;
  readonly stopped: Promise<void>;
}

/** Reads the stream from here on, and resumes wherever it breaks off. */
async function follow(urlOf: () => string, { token, type }: { readonly token: string; readonly type: string }): Promise<Following> {
  const { body } = await request(urlOf(), "/v1/events?limit=1", { token });
  const seen: StreamEvent[] = [];
  let lastEventId = String(body.data[0].cursor);
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      let taken = 0;
      const enough = (events: readonly StreamEvent[]) => {
        seen.push(...events.slice(taken));
        taken = events.length;
        lastEventId = events.at(-1)?.id ?? lastEventId;
        return isOver || taken >= 25;
      };
      await readStream(urlOf(), `/v1/events/stream?pattern=${type}`, { token, lastEventId, enough }).catch(() => undefined);
      if (taken === 0) await Bun.sleep(100);
    }
  };
  return { seen, stop: () => (isOver = true), stopped: run() };
}

/** Publishes while `fault` happens, as a client does who tries again with the same id; each lane is a key. Returns the acknowledged ids. */
async function publishWhile(
  urlOf: () => string,
  { token, type }: { readonly token: string; readonly type: string },
  fault: () => Promise<void>,
): Promise<ReadonlySet<string>> {
  const acknowledged = new Set<string>();
  const lane = async (key: number) => {
    for (let n = 0; n < perLane; n += 1) {
      const event = { type, id: `${key}-${n}`, key: `k${key}`, data: { n, key } };
      const isStored = async () => {
        const answer = await fetch(`${urlOf()}/v1/events`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify(event),
          signal: AbortSignal.timeout(10_000),
        }).catch(() => undefined);
        return answer?.status === 202;
      };
      await until("it is stored", isStored, 60_000);
      acknowledged.add(event.id);
      await Bun.sleep(10);
    }
  };
  const publishing = Promise.all(Array.from({ length: lanes }, (_, key) => lane(key)));
  await until("some are stored", () => acknowledged.size >= lanes * 5, 30_000);
  await fault();
  await publishing;
  return acknowledged;
}

/** The checker: of a stream each id exactly once and each key in order; of a webhook each at least once. */
async function check(
  acknowledged: ReadonlySet<string>,
  { stream, receiver }: { readonly stream: Following; readonly receiver: ReturnType<typeof startReceiver> },
) {
  expect(acknowledged.size).toBe(lanes * perLane);
  await until(
    "the stream has brought everything",
    () => stream.seen.filter(({ event }) => event === "message").length >= acknowledged.size,
    60_000,
  );
  expect(stream.seen.filter(({ event }) => event === "gap")).toEqual([]);
  const ids = stream.seen.map(({ data }) => data.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(ids)).toEqual(new Set(acknowledged));
  for (let key = 0; key < lanes; key += 1) {
    const own = stream.seen.filter(({ data }) => data.partitionkey === `k${key}`).map(({ data }) => data.data.n);
    expect(own).toEqual(Array.from({ length: perLane }, (_, n) => n));
  }
  await until("the webhook has brought everything", () => new Set(receiver.events().map(({ id }) => id)).size >= acknowledged.size, 60_000);
}

async function underLoad(running: TestCopy, fault: () => Promise<void>): Promise<void> {
  await using receiver = startReceiver();
  const user = await signUp(running.url);
  const type = await registerType(running.url);
  const about = { token: user.token, type };
  await publish(running.url, user.token, { type: await registerType(running.url), data: { n: 0 } });
  const { status } = await request(running.url, "/v1/subscriptions", {
    token: user.token,
    body: { pattern: type, url: receiver.url, concurrency: 20 },
  });
  expect(status).toBe(201);
  const stream = await follow(() => running.url, about);
  const acknowledged = await publishWhile(() => running.url, about, fault);
  await check(acknowledged, { stream, receiver });
  stream.stop();
  // Ends the stream that still waits.
  await publish(running.url, user.token, { type, data: { n: -1 } });
}

async function standStill({ signal }: Pick<OwnRedis, "signal">): Promise<void> {
  signal("SIGSTOP");
  await Bun.sleep(5_000);
  signal("SIGCONT");
}

async function dropConnections(url: string): Promise<void> {
  const client = new Redis(url);
  await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  client.disconnect();
}

describe("faults under load, on Redis", () => {
  const faults: readonly (readonly [string, (redis: OwnRedis, running: TestCopy) => Promise<void>])[] = [
    ["Redis is killed and starts again", (redis) => redis.killAndStartAgain()],
    ["Redis stands still for five seconds", standStill],
    ["Redis drops its connections", ({ url }) => dropConnections(url)],
    ["the bus thread is killed", (_, { copy }) => copy.threads.bus.kill()],
  ];

  test.each(faults)(
    "%s",
    async (_name, fault) => {
      await using redis = await ownRedis();
      if (redis === undefined) return;
      await using running = await startTestCopy("postgres", { ...settings, REDIS_URL: redis.url });
      await underLoad(running, () => fault(redis, running));
    },
    180_000,
  );

  test("the master dies, and the Sentinels make its replica the master", async () => {
    await using sentinels = await ownSentinels();
    if (sentinels === undefined) return;
    await using running = await startTestCopy("postgres", {
      ...settings,
      REDIS_SENTINELS: sentinels.addresses,
      REDIS_SENTINEL_NAME: sentinels.name,
      KEELSON_REDIS_WAIT_REPLICAS: "1",
    });
    const user = await signUp(running.url);
    const type = await registerType(running.url);
    await publish(running.url, user.token, { type, data: { n: -1 } });
    // With one replica, and that one the master by now, there is nobody left to wait for: what is acknowledged is what both had.
    const stream = await follow(() => running.url, { token: user.token, type });
    const acknowledged: string[] = [];
    let isOver = false;
    const publishing = (async () => {
      for (let n = 0; !isOver; n += 1) {
        const { status } = await request(running.url, "/v1/events", {
          token: user.token,
          body: { type, id: `e${n}`, key: "k", data: { n } },
        });
        if (status === 202) acknowledged.push(`e${n}`);
        await Bun.sleep(5);
      }
    })();
    await until("many are stored", () => acknowledged.length >= 200, 30_000);
    await sentinels.killMaster();
    isOver = true;
    await publishing;
    await until(
      "the stream brings what was acknowledged",
      () => acknowledged.every((id) => stream.seen.some(({ data }) => data.id === id)),
      30_000,
    );
    const ids = stream.seen.filter(({ event }) => event === "message").map(({ data }) => data.id);
    expect(new Set(ids).size).toBe(ids.length);
    const order = stream.seen.filter(({ event }) => event === "message").map(({ data }) => data.data.n);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    stream.stop();
  }, 120_000);
});

describe("faults under load, on PostgreSQL", () => {
  test("PostgreSQL drops its connections", async () => {
    await using running = await startTestCopy("postgres", settings);
    const sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    await underLoad(running, () => endBackends(sql));
    await sql.end();
  }, 180_000);

  test("the bus thread is killed", async () => {
    await using running = await startTestCopy("postgres", settings);
    await underLoad(running, () => running.copy.threads.bus.kill());
  }, 180_000);
});

describe.each(await substrates())("a process is killed, on %s", (substrate) => {
  const stores = async () => {
    const redis = substrate === "redis" ? await testRedis() : undefined;
    return {
      DATABASE_URL: await testPostgres(),
      KEELSON_KEY_PREFIX: `t${Date.now().toString(36)}`,
      ...(redis ? { REDIS_URL: redis } : {}),
    };
  };

  test("the publisher's, right after its answer: every acknowledged event is there, once, each key in order", async () => {
    const address = await stores();
    await using folder = await temporaryDataFolder();
    const common = {
      ...settings,
      ...address,
      KEELSON_DATA_DIR: folder.path,
      KEELSON_KEK: Buffer.alloc(32, 7).toString("base64"),
      LOG_LEVEL: "error",
    };
    await using survivor = await startTestCopy(substrate, common);
    const user: SignedInUser = await signUp(survivor.url);
    const type = await registerType(survivor.url);
    await using other = await temporaryDataFolder();
    const victim = await runServer({ ...common, KEELSON_DATA_DIR: other.path });
    await whenReady(victim);
    const acknowledged: string[] = [];
    const lane = async (key: number) => {
      for (let n = 0; ; n += 1) {
        const id = `${key}-${n}`;
        const answer = await request(victim.url, "/v1/events", {
          token: user.token,
          body: { type, id, key: `k${key}`, data: { n } },
        }).catch(() => undefined);
        if (answer?.status !== 202) return;
        acknowledged.push(id);
        if (acknowledged.length === 100) victim.signal("SIGKILL");
      }
    };
    await Promise.all([lane(0), lane(1), lane(2)]);
    await victim.exited;
    expect(acknowledged.length).toBeGreaterThanOrEqual(100);
    const { data } = (await request(survivor.url, `/v1/events?pattern=${type}&limit=200`, { token: user.token })).body;
    const ids = data.map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of acknowledged) expect(ids).toContain(id);
    for (const key of [0, 1, 2]) {
      const own = data
        .filter(({ partitionkey }: { partitionkey: string }) => partitionkey === `k${key}`)
        .map((event: { data: { n: number } }) => event.data.n);
      expect(own).toEqual(own.toSorted((a: number, b: number) => b - a));
    }
  }, 90_000);

  test("a consumer's, between the effect and its being known: the next one takes over, and each event has its effect once", async () => {
    const { DATABASE_URL: databaseUrl, KEELSON_KEY_PREFIX: prefix, REDIS_URL: redis } = { REDIS_URL: undefined, ...(await stores()) };
    const config = { redis: redis ? ({ kind: "single", url: redis } as const) : undefined, KEELSON_KEY_PREFIX: prefix };
    const bus = openBus({ config, databaseUrl }, { connectionsMax: 2, applicationName: "faults", log: testLogger("bus") });
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
    await sql`create table effects (seq serial, key text, n int)`;
    const total = 120;
    await bus.publish(Array.from({ length: total }, (_, n) => makeEvent(n, { type: "test.effect", key: `k${n % 6}`, data: { n } })));
    const consumer = (doom: number) =>
      Bun.spawn(
        [
          process.execPath,
          new URL("../conformance/doomed-consumer.ts", import.meta.url).pathname,
          JSON.stringify({ databaseUrl, redis, prefix, doom }),
        ],
        { stdout: "ignore" },
      );
    for (const doom of [17, 60]) expect(await consumer(doom).exited).not.toBe(0);
    const last = consumer(-1);
    const effects = () => sql`select key, n from effects order by seq`;
    await until("each has had its effect", async () => (await effects()).length >= total, 40_000);
    const rows = await effects();
    expect(rows.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n));
    for (let key = 0; key < 6; key += 1) {
      const own = rows.filter((row) => row.key === `k${key}`).map(({ n }) => n);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    expect((await sql`select 1 from event_dead_letters`).length).toBe(0);
    last.kill();
    await last.exited;
    await bus.close();
    await sql.end();
  }, 90_000);
});
