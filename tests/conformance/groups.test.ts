import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import postgres from "postgres";
import type { GroupContext, GroupHandler } from "../../app/platform/bus/group/contract.ts";
import { defineGroup } from "../../app/platform/bus/group/contract.ts";
import { runGroup } from "../../app/platform/bus/group/run.ts";
import { createGroupStore, eventOf } from "../../app/platform/bus/group/store.ts";
import type { Bus, BusEvent, Running } from "../../app/platform/bus/port.ts";
import { createPostgresBus } from "../../app/platform/bus/postgres.ts";
import { createRedisBus } from "../../app/platform/bus/redis.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { giveUp } from "../../app/platform/queue/job.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { testLogger, testPostgres, testRedis } from "../services.ts";
import { openTcpProxy } from "../tcp-proxy.ts";
import { until } from "../until.ts";
import { collector, idsOf, makeEvent, makeEvents } from "./bus.ts";

const log = testLogger("groups");
const redisUrl = await testRedis();
await testPostgres();
const closers = new AsyncDisposableStack();
afterAll(() => closers.disposeAsync(), 30_000);

const quick = { retryAfterMs: [1, 1, 1], timeoutMs: 5_000 } as const;
const leaseMs = 400;

if (redisUrl !== undefined)
  describeGroups("on Redis", (_url, prefix) => createRedisBus({ target: { kind: "single", url: redisUrl }, prefix, log }));
describeGroups("on PostgreSQL", (url) => {
  const sql = postgres(url, { max: 4, fetch_types: false, onnotice: () => undefined });
  const bus = createPostgresBus({ sql, log });
  return { ...bus, close: () => bus.close().then(() => sql.end({ timeout: 0 })) };
});

function describeGroups(name: string, openBus: (url: string, prefix: string) => Bus): void {
  describe(`durable groups ${name}`, () => {
    let url: string;
    let bus: Bus;
    let stack: AsyncDisposableStack;
    let store: ReturnType<typeof createGroupStore>;
    let prefix: string;
    let database: DatabaseClient;

    beforeEach(async () => {
      stack = new AsyncDisposableStack();
      url = await testPostgres();
      prefix = `test:${randomToken(6)}:`;
      bus = stack.adopt(openBus(url, prefix), (it) => it.close());
      database = stack.adopt(openDatabase({ url, connectionsMax: 6, applicationName: "groups" }), (it) => it.close());
      store = createGroupStore(database.db);
    });
    afterEach(() => stack.disposeAsync(), 20_000);

    const run = (
      contract: Partial<Parameters<typeof defineGroup>[0]>,
      handle: GroupHandler,
      over: { readonly store?: typeof store } = {},
    ): Running => {
      const used = over.store ?? store;
      const deps = {
        bus,
        store: used,
        bury: async (failure: Parameters<typeof store.bury>[0]) => void (await store.bury(failure, database.db)),
        leaseMs,
        log,
      };
      return stack.adopt(runGroup(deps, defineGroup({ name: "g", patterns: [">"], from: "start", ...quick, ...contract }), handle), (it) =>
        it.stop(),
      );
    };
    const publish = async (events: readonly BusEvent[]) => {
      await bus.publish(events);
      return idsOf(events);
    };

    test("from the start, in order, once each, only what its patterns match", async () => {
      const ids = await publish(makeEvents(50));
      await publish([makeEvent(0, { type: "other.thing" })]);
      const seen = collector();
      run({ patterns: ["task.*"] }, seen.take);
      const live = await publish(makeEvents(5));
      await until("everything was handled", () => seen.events.length >= 55);
      expect(idsOf(seen.events)).toEqual([...ids, ...live]);
    });

    test("from the end: only what comes after it began; it goes on where it stopped", async () => {
      await publish(makeEvents(3));
      const seen = collector();
      const first = run({ from: "end" }, seen.take);
      await first.started;
      const during = await publish(makeEvents(3));
      await until("the new ones were handled", () => seen.events.length >= 3);
      await first.stop();
      const meanwhile = await publish(makeEvents(4));
      run({ from: "end" }, seen.take);
      await until("the rest was handled", () => seen.events.length >= 7);
      expect(idsOf(seen.events)).toEqual([...during, ...meanwhile]);
    });

    test("two groups each get everything", async () => {
      const seen = [collector(), collector()] as const;
      run({ name: "a" }, seen[0].take);
      run({ name: "b" }, seen[1].take);
      const ids = await publish(makeEvents(30));
      for (const each of seen) {
        await until("the group has it", () => each.events.length >= 30);
        expect(idsOf(each.events)).toEqual(ids);
      }
    });

    test("concurrency: keys go side by side, and each keeps its order", async () => {
      const seen = collector();
      let [running, most] = [0, 0];
      run({ concurrency: 8 }, async (events) => {
        running += 1;
        most = Math.max(most, running);
        await Bun.sleep(Math.random() * 3);
        await seen.take(events);
        running -= 1;
      });
      const events = Array.from({ length: 200 }, (_, n) => makeEvent(n, n % 2 ? { key: `k${n % 10}` } : { subject: `k${n % 10}` }));
      await publish(events);
      await until("everything was handled", () => seen.events.length >= 200);
      expect(most).toBeGreaterThan(2);
      for (let key = 0; key < 10; key += 1) {
        const own = seen.events.filter((event) => (event.key ?? event.subject) === `k${key}`).map((event) => event.data);
        expect(own).toEqual(Array.from({ length: 20 }, (_, n) => ({ n: n * 10 + key })));
      }
    });

    test("a slow key does not hold up another", async () => {
      const held = Promise.withResolvers<void>();
      const seen = collector();
      run({ concurrency: 16 }, async (events) => {
        if (events[0]?.key === "slow") await held.promise;
        await seen.take(events);
      });
      await publish([makeEvent(0, { key: "slow" }), ...Array.from({ length: 40 }, (_, n) => makeEvent(n + 1, { key: `fast${n}` }))]);
      await until("the others went by", () => seen.events.length >= 30);
      expect(seen.events.every(({ key }) => key !== "slow")).toBe(true);
      held.resolve();
      await until("and the slow one came", () => seen.events.length >= 41);
    });

    test("batches: up to their size, or what came in their time", async () => {
      const sizes: number[] = [];
      const seen = collector();
      run({ batch: { size: 10, waitMs: 200 } }, async (events) => {
        sizes.push(events.length);
        await seen.take(events);
      });
      await publish(makeEvents(25));
      await until("everything was handled", () => seen.events.length >= 25);
      expect(sizes).toEqual([10, 10, 5]);
    });

    test("a failure is tried again, three times; then it is a dead letter and the others go on", async () => {
      const attempts: number[] = [];
      const seen = collector();
      const [poison, ...good] = makeEvents(4);
      run({}, async (events, { attempt }) => {
        if (events[0]?.id !== poison?.id) return seen.take(events);
        attempts.push(attempt);
        throw new Error("not this\0one");
      });
      await publish([poison as BusEvent, ...good]);
      await until("the good ones were handled", () => seen.has(idsOf(good)));
      expect(attempts).toEqual([1, 2, 3, 4]);
      const [letter, ...others] = await store.deadLetters("g", { limit: 10 });
      expect(others).toEqual([]);
      expect(letter).toMatchObject({ eventId: poison?.id ?? "", type: "task.changed", attempts: 4, error: "not thisone" });
      expect(letter && eventOf(letter).data).toEqual({ n: 0 });
      await until("it is told", async () => (await store.find("g"))?.lastError === "not thisone");
      expect(await store.find("g")).toMatchObject({ handled: 3, failed: 1 });
    });

    test("`giveUp` is not tried again; one of a batch buries only itself", async () => {
      const rounds: number[] = [];
      const seen = collector();
      const events = makeEvents(5);
      run({ batch: { size: 5, waitMs: 500 } }, async (batch) => {
        rounds.push(batch.length);
        if (batch.some(({ id }) => id === events[2]?.id)) giveUp("never");
        await seen.take(batch);
      });
      await publish(events);
      await until("four were handled", () => seen.events.length >= 4);
      expect(rounds).toEqual([5, 1, 1, 1, 1, 1]);
      await until("the other is kept", async () => (await store.deadLetters("g", { limit: 10 })).length > 0);
      const letters = await store.deadLetters("g", { limit: 10 });
      expect(letters.map(({ eventId }) => eventId)).toEqual([events[2]?.id ?? ""]);
    });

    test("a handler that takes too long is told to stop, and tried again", async () => {
      const seen = collector();
      let told = 0;
      run({ timeoutMs: 30 }, async (events, { attempt, signal }) => {
        if (attempt > 1) return seen.take(events);
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        told += 1;
      });
      const ids = await publish(makeEvents(1));
      await until("it was handled", () => seen.has(ids));
      expect(told).toBe(1);
    });

    test("redriven dead letters are tried again, and gone when they succeed", async () => {
      let isBroken = true;
      const seen = collector();
      run({}, async (events) => {
        if (isBroken) giveUp("broken");
        await seen.take(events);
      });
      const ids = await publish(makeEvents(3));
      await until("all are dead", async () => (await store.deadLetters("g", { limit: 10 })).length === 3);
      expect(await store.redrive("g", undefined)).toBe(3);
      await until("they failed again", async () =>
        (await store.deadLetters("g", { limit: 10 })).every(({ attempts, redriveAt }) => attempts === 2 && !redriveAt),
      );
      isBroken = false;
      const [one] = await store.deadLetters("g", { limit: 1 });
      expect(await store.redrive("g", [one?.id ?? ""])).toBe(1);
      await until("one came through", () => seen.events.length === 1);
      expect(await store.redrive("g", undefined)).toBe(2);
      await until("all came through", () => seen.has(ids));
      await until("none is left", async () => (await store.deadLetters("g", { limit: 10 })).length === 0);
    }, 15_000);

    test("`once`: a delivery that comes again has no second effect, and one that failed has none at all", async () => {
      const ran: boolean[] = [];
      await database.sql`create table effects (n int)`;
      const effect = (context: GroupContext, event: { readonly id: string }, fails: boolean) =>
        context.once(event, async (tx) => {
          await tx.execute("insert into effects values (1)");
          if (fails) throw new Error("after the effect");
        });
      run({}, async ([event], context) => {
        if (!event) return;
        ran.push(await effect(context, event, context.attempt === 1));
        if (context.attempt === 2) throw new Error("handled, but not known to be");
      });
      await publish(makeEvents(1));
      await until("it was handled", () => ran.length >= 2);
      expect(ran).toEqual([true, false]);
      expect(await database.sql`select * from effects`).toHaveLength(1);
    });

    describe("copies", () => {
      test("two share a group: nothing is lost or done twice, and the order of each key holds", async () => {
        const seen = collector();
        const contract = { concurrency: 4 };
        const [a, b] = [run(contract, seen.take), run(contract, seen.take)];
        await Promise.all([a.started, b.started]);
        const ids: string[] = [];
        for (let round = 0; round < 10; round += 1)
          ids.push(...(await publish(Array.from({ length: 30 }, (_, n) => makeEvent(round * 30 + n, { key: `k${n % 7}` })))));
        await until("everything was handled", () => seen.events.length >= 300);
        expect(idsOf(seen.events).toSorted()).toEqual(ids.toSorted());
        for (let key = 0; key < 7; key += 1) {
          const own = seen.events.filter((event) => event.key === `k${key}`).map(({ data }) => Number(Reflect.get(Object(data), "n")));
          expect(own).toEqual(own.toSorted((x, y) => x - y));
        }
      });

      test("what a stopping copy had not handled another does, at once", async () => {
        let refused = 0;
        const stopping = run({ retryAfterMs: [60_000] }, async () => {
          refused += 1;
          throw new Error("never here");
        });
        const ids = await publish(makeEvents(20));
        await until("it was refused", () => refused > 0);
        await stopping.stop();
        const seen = collector();
        run({}, seen.take);
        await until("everything was handled", () => seen.has(ids));
        expect(idsOf(seen.events)).toEqual(ids);
      });

      test("a dead copy's work is taken over", async () => {
        const proxy = await openTcpProxy(url);
        const own = stack.adopt(openDatabase({ url: proxy.url, connectionsMax: 3, applicationName: "dying" }), (it) => it.close());
        const held = Promise.withResolvers<void>();
        let taken = 0;
        run(
          {},
          async () => {
            taken += 1;
            await held.promise;
          },
          { store: createGroupStore(own.db) },
        );
        const ids = await publish(makeEvents(20));
        await until("the copy has work in hand", () => taken > 0);
        await proxy.refuse();
        const seen = collector();
        run({}, seen.take);
        await until("another copy has done it", () => seen.has(ids), 10_000);
        held.resolve();
      }, 20_000);

      test("an event that ends its copy every time is put aside after three deaths", async () => {
        const [poison, ...good] = makeEvents(6);
        await publish([...good.slice(0, 2), poison as BusEvent, ...good.slice(2)]);
        const seen = collector();
        let deaths = 0;
        // A copy that dies leaves its lease behind and records nothing more.
        const dyingCopy = async (): Promise<void> => {
          const died = Promise.withResolvers<void>();
          const dead = { ...store, release: async () => undefined };
          const copy = run(
            {},
            async (events) => {
              if (events.some(({ id }) => id === poison?.id)) {
                deaths += 1;
                died.resolve();
                return new Promise<void>(() => undefined);
              }
              await seen.take(events);
            },
            { store: { ...dead, commit: async (...step) => (deaths > 0 ? false : store.commit(...step)) } },
          );
          await Promise.race([died.promise, until("the rest was handled", () => seen.has(idsOf(good)), 20_000)]);
          void copy.stop();
        };
        for (let round = 0; round < 4; round += 1) {
          await dyingCopy();
          const silent = performance.now() + leaseMs + 50;
          await until("the lease has run out", () => performance.now() > silent);
        }
        const seenBefore = deaths;
        run({}, seen.take);
        await until("the rest was handled", () => seen.has(idsOf(good)), 15_000);
        expect(seenBefore).toBe(4);
        const letters = await store.deadLetters("g", { limit: 10 });
        expect(letters.map(({ eventId }) => eventId)).toEqual([poison?.id ?? ""]);
        expect(letters[0]?.error).toContain("died");
      }, 40_000);

      test("a slow copy that is alive keeps its work", async () => {
        const ids = await publish(makeEvents(1));
        const held = Promise.withResolvers<void>();
        const [slow, idle] = [collector(), collector()];
        run({}, async (events) => {
          await slow.take(events);
          await held.promise;
        });
        await until("the slow copy has it", () => slow.has(ids));
        await run({}, idle.take).started;
        const since = performance.now();
        await until("four leases have passed", () => performance.now() - since > 4 * leaseMs);
        held.resolve();
        expect(idle.events).toEqual([]);
        expect(idsOf(slow.events)).toEqual(ids);
      });
    });
  });
}
