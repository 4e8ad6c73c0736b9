import { afterAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { beginning, compareCursors, isCursor } from "../../app/platform/bus/cursor.ts";
import { createPostgresBus } from "../../app/platform/bus/postgres.ts";
import { createRedisBus } from "../../app/platform/bus/redis.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { endBackends, testLogger, testPostgres, testRedis } from "../services.ts";
import { openTcpProxy, type TcpProxy } from "../tcp-proxy.ts";
import { until } from "../until.ts";
import { type Copy, collector, describeBus, idsOf, makeEvent, makeEvents, type Store } from "./bus.ts";

const log = testLogger("bus");
const redisUrl = await testRedis();
// Starts the server here, where no hook's time-out runs.
await testPostgres();
const closers = new AsyncDisposableStack();
afterAll(() => closers.disposeAsync(), 30_000);

if (redisUrl !== undefined) {
  describeBus("Redis", openRedisStore);
  describeRedisFaults(redisUrl);
}
describeBus("PostgreSQL", openPostgresStore);

test.each([
  ["0-0", true],
  ["1700000000000-12", true],
  ["9223372036854775807-9223372036854775807", true],
  ["9223372036854775808-0", false],
  ["01-0", false],
  ["1", false],
  ["1-", false],
  ["-1-0", false],
  ["1-0\n", false],
  ["$", false],
  ["", false],
])("isCursor(%j) is %p", (value, expected) => expect(isCursor(value)).toBe(expected));

test("cursors are ordered as numbers", () => {
  expect(["10-0", "9-5", "9-10", "0-0"].toSorted(compareCursors)).toEqual(["0-0", "9-5", "9-10", "10-0"]);
});

async function openRedisStore(): Promise<Store> {
  const prefix = `test:${randomToken(6)}:`;
  const stack = new AsyncDisposableStack();
  return {
    openCopy: async () => {
      const proxy = await openTcpProxy(redisUrl ?? "");
      const bus = createRedisBus({ target: { kind: "single", url: proxy.url }, prefix, log });
      return addCopy(stack, { bus, proxy });
    },
    close: () => stack.disposeAsync(),
  };
}

async function openPostgresStore(): Promise<Store> {
  const url = await testPostgres();
  const stack = new AsyncDisposableStack();
  return {
    openCopy: async () => {
      const proxy = await openTcpProxy(url);
      const sql = postgres(proxy.url, { max: 4, fetch_types: false, onnotice: () => undefined });
      stack.defer(() => sql.end({ timeout: 0 }));
      return addCopy(stack, { bus: createPostgresBus({ sql, log }), proxy });
    },
    close: () => stack.disposeAsync(),
  };
}

function addCopy(stack: AsyncDisposableStack, { bus, proxy }: { readonly bus: Copy["bus"]; readonly proxy: TcpProxy }): Copy {
  stack.defer(() => proxy.refuse().catch(() => undefined));
  stack.defer(() => bus.close());
  return { bus, cut: proxy.cut, lose: proxy.refuse };
}

function describeRedisFaults(url: string): void {
  describe("Redis faults", () => {
    test("a read stuck on a silent socket is noticed, and the tail goes on", async () => {
      const prefix = `test:${randomToken(6)}:`;
      const proxy = await openTcpProxy(url);
      const reading = closers.adopt(createRedisBus({ target: { kind: "single", url: proxy.url }, prefix, log }), (bus) => bus.close());
      const writing = closers.adopt(createRedisBus({ target: { kind: "single", url }, prefix, log }), (bus) => bus.close());
      const tailed = collector();
      await reading.tail(beginning, tailed.take).started;
      proxy.freeze();
      const events = makeEvents(5);
      await writing.publish(events);
      await until("it has everything", () => tailed.has(idsOf(events)), 15_000);
      expect(idsOf(tailed.events)).toEqual(idsOf(events));
      await reading.close();
      await proxy.refuse();
    }, 20_000);

    test("a flushed stream: what comes after is read", async () => {
      const prefix = `test:${randomToken(6)}:`;
      const bus = closers.adopt(createRedisBus({ target: { kind: "single", url }, prefix, log }), (it) => it.close());
      const admin = closers.adopt(new Redis(url), (it) => it.disconnect());
      const tailed = collector();
      await bus.tail(beginning, tailed.take).started;
      const [before, after] = [makeEvent(1), makeEvent(2)];
      await bus.publish([before]);
      await until("the first arrived", () => tailed.has([before.id]));
      await admin.del(`${prefix}bus`);
      const flushedAt = Date.now();
      await until("a stream made anew gives higher ids", () => Date.now() > flushedAt + 1);
      await bus.publish([after]);
      await until("the next arrived", () => tailed.has([after.id]));
    }, 15_000);

    test("a server that forgot the scripts is told them again", async () => {
      const bus = closers.adopt(createRedisBus({ target: { kind: "single", url }, prefix: `test:${randomToken(6)}:`, log }), (it) =>
        it.close(),
      );
      const admin = closers.adopt(new Redis(url), (it) => it.disconnect());
      await bus.publish([makeEvent(1)]);
      await admin.script("FLUSH");
      await bus.publish([makeEvent(2)]);
      expect((await bus.read({ after: beginning, limit: 5 })).events).toHaveLength(2);
    });
  });
}

describe("PostgreSQL faults", () => {
  const open = async () => {
    const url = await testPostgres();
    const sql = closers.adopt(postgres(url, { max: 6, fetch_types: false, onnotice: () => undefined }), (it) => it.end({ timeout: 0 }));
    const bus = closers.adopt(createPostgresBus({ sql, log }), (it) => it.close());
    return { url, sql, bus };
  };
  const insert = (sql: Sql | TransactionSql, id: string) =>
    sql`insert into bus_events (id, type, event) values (${id}, 'a.b', ${JSON.stringify({ ...makeEvent(1), id })})`;

  test("terminated backends: tail and publish go on", async () => {
    const { url, bus } = await open();
    const admin = closers.adopt(postgres(url, { max: 1 }), (it) => it.end({ timeout: 0 }));
    const tailed = collector();
    await bus.tail(beginning, tailed.take).started;
    const ids: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const events = makeEvents(20);
      ids.push(...idsOf(events));
      await Promise.all([bus.publish(events), endBackends(admin)]);
    }
    await until("everything arrived", () => tailed.has(ids), 15_000);
    expect(idsOf(tailed.events)).toEqual(ids);
  }, 20_000);

  test("an event that commits late is never skipped: later ones wait for it", async () => {
    const { sql, bus } = await open();
    const seen = collector();
    await bus.tail(beginning, seen.take).started;
    const inserted = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    const late = sql.begin(async (tx) => {
      await insert(tx, "late");
      inserted.resolve();
      await commit.promise;
    });
    await inserted.promise;
    const after = makeEvent(1);
    const published = bus.publish([after]);
    const waiting = () => sql`select 1 from pg_locks where locktype = 'advisory' and not granted`;
    await until("the later one waits", async () => (await waiting()).length > 0);
    expect(seen.events).toEqual([]);
    commit.resolve();
    await Promise.all([late, published]);
    await until("both arrived", () => seen.events.length >= 2);
    expect(idsOf(seen.events)).toEqual(["late", after.id]);
  });

  test("one event that can't be stored does not fail those it shares a batch with", async () => {
    const { bus } = await open();
    const good = makeEvents(9);
    const bad = makeEvent(0, { id: "no\0text" });
    const results = await Promise.allSettled([...good.slice(0, 4), bad, ...good.slice(4)].map((event) => bus.publish([event])));
    expect(results.map((result) => result.status === "fulfilled")).toEqual([true, true, true, true, false, true, true, true, true, true]);
    expect(idsOf((await bus.read({ after: beginning, limit: 20 })).events).toSorted()).toEqual(idsOf(good).toSorted());
  });

  test("without notifications the log is still read", async () => {
    const { sql, bus } = await open();
    await sql`alter table bus_events disable trigger bus_events_wake`;
    const seen = collector();
    await bus.tail(beginning, seen.take).started;
    await insert(sql, "quiet");
    await until("the poll found it", () => seen.has(["quiet"]));
  });
});
