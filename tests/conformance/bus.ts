import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { beginning, compareCursors, isCursor } from "../../app/platform/bus/cursor.ts";
import type { Bus, BusEvent, ConsumeOptions, StoredEvent } from "../../app/platform/bus/port.ts";
import { newId } from "../../app/platform/ids.ts";
import { until } from "../until.ts";

/** A program's bus with its own way to the store. */
export interface Copy {
  readonly bus: Bus;
  /** Breaks every connection of this copy once. */
  cut(): void;
  /** From now on this copy can't reach the store. */
  lose(): Promise<void>;
}

/** One empty log. */
export interface Store {
  /** Another copy of the program on the same log. */
  openCopy(): Promise<Copy>;
  close(): Promise<void>;
}

export function makeEvent(n: number, over: Partial<BusEvent> = {}): BusEvent {
  return { id: newId("event"), type: "task.changed", time: new Date().toISOString(), subject: "tsk_1", data: { n }, ...over };
}

export const idsOf = (events: readonly BusEvent[]): string[] => events.map((event) => event.id);
export const makeEvents = (count: number): BusEvent[] => Array.from({ length: count }, (_, n) => makeEvent(n));

/** Gathers what a reader is given. */
export function collector() {
  const events: StoredEvent[] = [];
  return {
    events,
    take: async (batch: readonly StoredEvent[]) => {
      events.push(...batch);
    },
    has: (ids: readonly string[]) => {
      const seen = new Set(idsOf(events));
      return ids.every((id) => seen.has(id));
    },
  };
}

export const group = (over: Partial<ConsumeOptions> = {}): ConsumeOptions => ({
  group: "g",
  from: "start",
  batchSize: 10,
  claimAfterMs: 300,
  ...over,
});

export function describeBus(name: string, openStore: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store;
    let copy: Copy;
    let bus: Bus;

    beforeEach(async () => {
      store = await openStore();
      copy = await store.openCopy();
      bus = copy.bus;
    });
    afterEach(() => store.close(), 20_000);

    const secondBus = async (): Promise<Bus> => (await store.openCopy()).bus;
    const publish = async (count: number) => {
      const events = makeEvents(count);
      const cursors = await bus.publish(events);
      return { events, ids: idsOf(events), cursors };
    };

    describe("log", () => {
      test("an empty log begins and ends at one place", async () => {
        expect(await bus.head()).toBe(beginning);
        expect(await bus.origin()).toBe(beginning);
        expect(await bus.read({ after: beginning, limit: 10 })).toEqual({ events: [], next: beginning, trimmed: false });
        expect(await bus.publish([])).toEqual([]);
        await bus.ping();
      });

      test("events come back whole and in the order they were published", async () => {
        const full = makeEvent(1, { audience: "usr_1", requestId: "req_1", data: { deep: [1, null, { ok: true }] } });
        const { subject: _, ...bare } = makeEvent(2, { data: null });
        const cursors = await bus.publish([full, bare]);
        const { events, next } = await bus.read({ after: beginning, limit: 10 });
        expect(events).toEqual([
          { ...full, cursor: cursors[0] ?? "" },
          { ...bare, cursor: cursors[1] ?? "" },
        ]);
        expect(next).toBe(cursors[1] ?? "");
        expect(await bus.head()).toBe(next);
        expect(cursors.every(isCursor)).toBe(true);
      });

      test("reading goes on after a cursor, a page at a time", async () => {
        const { ids, cursors } = await publish(25);
        const first = await bus.read({ after: beginning, limit: 10 });
        const second = await bus.read({ after: first.next, limit: 10 });
        const third = await bus.read({ after: second.next, limit: 10 });
        expect([first, second, third].flatMap((page) => idsOf(page.events))).toEqual(ids);
        expect(third.next).toBe(cursors.at(-1) ?? "");
        expect(await bus.read({ after: third.next, limit: 10 })).toEqual({ events: [], next: third.next, trimmed: false });
      });

      test("a cursor that is none is an error, not a query", async () => {
        await expect(bus.read({ after: "1; drop", limit: 1 })).rejects.toThrow(RangeError);
        expect(() => bus.tail("-", () => undefined)).toThrow(RangeError);
      });

      test("large and odd payloads survive", async () => {
        const odd = {
          text: "žluťoučký 🐎 \u0000 \ud800 \u2028",
          key: { "ключ\u0000": 1, b: 1, a: 2 },
          big: "x".repeat(300_000),
          n: -0.1e-7,
        };
        await bus.publish([makeEvent(1, { data: odd, subject: "předmět 🐎" })]);
        const { events } = await bus.read({ after: beginning, limit: 1 });
        expect(events[0]?.data).toEqual(odd);
        expect(JSON.stringify(events[0]?.data)).toBe(JSON.stringify(odd));
        expect(events[0]?.subject).toBe("předmět 🐎");
        const many = Array.from({ length: 20 }, (_, n) => makeEvent(n, { data: odd }));
        expect(new Set(await bus.publish(many)).size).toBe(20);
      });

      test("an id published again with dedupe is stored once and keeps its cursor", async () => {
        const [a, b, c] = [makeEvent(1), makeEvent(2), makeEvent(3)];
        const first = await bus.publish([a, b], { dedupe: true });
        const again = await (await secondBus()).publish([b, c, c, a], { dedupe: true });
        expect(again[0]).toBe(first[1] ?? "");
        expect(again[3]).toBe(first[0] ?? "");
        expect(again[1]).toBe(again[2] ?? "");
        expect(idsOf((await bus.read({ after: beginning, limit: 10 })).events)).toEqual([a.id, b.id, c.id]);
      });

      test("publishing the same id from two copies at once stores it once", async () => {
        const other = await secondBus();
        const events = makeEvents(50);
        const results = await Promise.all([bus, other, bus, other].map((each) => each.publish(events, { dedupe: true })));
        for (const cursors of results) expect(cursors).toEqual(results[0] ?? []);
        expect((await bus.read({ after: beginning, limit: 100 })).events).toHaveLength(50);
      });
    });

    describe("trim", () => {
      test("by length: the oldest go, and a reader behind them is told", async () => {
        const { ids, cursors } = await publish(30);
        expect(await bus.trim({ lengthMax: 10 })).toBe(20);
        expect(await bus.origin()).toBe(cursors[19] ?? "");
        const behind = await bus.read({ after: cursors[18] ?? "", limit: 100 });
        expect(behind.trimmed).toBe(true);
        expect(idsOf(behind.events)).toEqual(ids.slice(20));
        const upToDate = await bus.read({ after: cursors[19] ?? "", limit: 100 });
        expect(upToDate.trimmed).toBe(false);
        expect(idsOf(upToDate.events)).toEqual(ids.slice(20));
        expect(await bus.trim({ lengthMax: 10 })).toBe(0);
      });

      test("more than one cut of Redis takes", async () => {
        const { cursors } = await publish(2_500);
        expect(await bus.trim({ lengthMax: 100 })).toBe(2_400);
        expect(await bus.origin()).toBe(cursors[2_399] ?? "");
      });

      test("everything: head, origin and gaps are still right, and numbering goes on", async () => {
        const { cursors } = await publish(5);
        const last = cursors[4] ?? "";
        expect(await bus.trim({ ageMaxMs: 0 })).toBe(5);
        expect(await bus.head()).toBe(last);
        expect(await bus.origin()).toBe(last);
        expect(await bus.read({ after: cursors[3] ?? "", limit: 5 })).toEqual({ events: [], next: last, trimmed: true });
        expect(await bus.read({ after: last, limit: 5 })).toEqual({ events: [], next: last, trimmed: false });
        const [next] = await bus.publish([makeEvent(1)]);
        expect(compareCursors(next ?? "", last)).toBe(1);
      });

      test("by age: what is young enough stays", async () => {
        await publish(5);
        expect(await bus.trim({ ageMaxMs: 60_000 })).toBe(0);
        expect(await bus.trim({})).toBe(0);
        expect(await bus.trim({ ageMaxMs: 60_000, lengthMax: 2 })).toBe(3);
      });
    });

    describe("tail", () => {
      test("from the past, then live", async () => {
        const past = await publish(1_200);
        const seen = collector();
        const tail = bus.tail(past.cursors[99] ?? "", seen.take);
        await tail.started;
        const live = await publish(3);
        const expected = [...past.ids.slice(100), ...live.ids];
        await until("everything arrived", () => seen.events.length >= expected.length);
        expect(idsOf(seen.events)).toEqual(expected);
      });

      test("from the head: only what comes later; two tails see the same", async () => {
        await publish(3);
        const seen = [collector(), collector()] as const;
        const head = await bus.head();
        const other = await secondBus();
        await Promise.all([bus.tail(head, seen[0].take).started, other.tail(head, seen[1].take).started]);
        const { ids } = await publish(20);
        for (const each of seen) {
          await until("the tail has it", () => each.events.length >= 20);
          expect(idsOf(each.events)).toEqual(ids);
        }
      });

      test("concurrent publishers: every event once, in cursor order, each publisher's own order kept", async () => {
        const copies = [bus, await secondBus(), await secondBus()];
        const seen = collector();
        await (await secondBus()).tail(await bus.head(), seen.take).started;
        const publishers = Array.from({ length: 12 }, (_, n) => n);
        await Promise.all(
          publishers.map(async (publisher) => {
            const through = copies[publisher % copies.length] ?? bus;
            for (let n = 0; n < 60; n += 1) await through.publish([makeEvent(n, { subject: `p${publisher}` })]);
          }),
        );
        await until("everything arrived", () => seen.events.length >= 720);
        expect(new Set(idsOf(seen.events)).size).toBe(720);
        expect(seen.events).toHaveLength(720);
        const cursors = seen.events.map((event) => event.cursor);
        expect(cursors).toEqual(cursors.toSorted(compareCursors));
        expect(new Set(cursors).size).toBe(720);
        for (const publisher of publishers) {
          const own = seen.events.filter((event) => event.subject === `p${publisher}`).map((event) => event.data);
          expect(own).toEqual(Array.from({ length: 60 }, (_, n) => ({ n })));
        }
      });

      test("waits for a slow receiver and repeats a refused batch", async () => {
        const { ids } = await publish(3);
        const attempts: string[][] = [];
        let busy = 0;
        bus.tail(beginning, async (events) => {
          expect(++busy).toBe(1);
          attempts.push(idsOf(events));
          await Promise.resolve();
          busy -= 1;
          if (attempts.length === 1) throw new Error("not now");
        });
        await until("it came again", () => attempts.length >= 2);
        expect(attempts.slice(0, 2)).toEqual([ids, ids]);
      });

      test("stop is idempotent, ends deliveries, and settles started even when nothing can be reached", async () => {
        const seen = collector();
        const tail = bus.tail(beginning, seen.take);
        await tail.started;
        await Promise.all([tail.stop(), tail.stop()]);
        await tail.stop();
        await publish(1);
        expect(seen.events).toEqual([]);
        await copy.lose();
        const lost = bus.tail(beginning, seen.take);
        await lost.stop();
        await lost.started;
      });
    });

    describe("lost connections", () => {
      test("tail and publish go on after a cut: nothing is lost, nothing out of order", async () => {
        const reading = await store.openCopy();
        const seen = collector();
        await reading.bus.tail(beginning, seen.take).started;
        const ids: string[] = [];
        for (let round = 0; round < 6; round += 1) {
          ids.push(...(await publish(20)).ids);
          if (round % 2 === 0) reading.cut();
          else copy.cut();
        }
        ids.push(...(await publish(1)).ids);
        await until("everything arrived", () => seen.events.length >= ids.length, 15_000);
        expect(idsOf(seen.events)).toEqual(ids);
      }, 20_000);

      test("a group goes on after a cut, also one between the handling and its acknowledgement", async () => {
        const working = await store.openCopy();
        const seen = collector();
        let cuts = 0;
        await working.bus.consume(group(), async (events) => {
          await seen.take(events);
          if (cuts++ < 3) working.cut();
        }).started;
        const ids: string[] = [];
        for (let round = 0; round < 5; round += 1) ids.push(...(await publish(10)).ids);
        await until("everything was handled", () => seen.has(ids), 15_000);
      }, 20_000);

      test("publish rejects within seconds when the store is gone, and so does ping", async () => {
        await publish(1);
        await copy.lose();
        const since = performance.now();
        await expect(bus.publish(makeEvents(2))).rejects.toThrow();
        await expect(bus.ping()).rejects.toThrow();
        expect(performance.now() - since).toBeLessThan(8_000);
      }, 15_000);
    });

    describeGroups(() => ({ store, bus, publish, secondBus }));
  });
}

interface Fixture {
  readonly store: Store;
  readonly bus: Bus;
  publish(count: number): Promise<{ readonly ids: string[] }>;
  secondBus(): Promise<Bus>;
}

function describeGroups(fixture: () => Fixture): void {
  describe("consume", () => {
    test("from the start, in order, in batches, once", async () => {
      const { bus, publish } = fixture();
      const { ids } = await publish(95);
      const seen = collector();
      const sizes: number[] = [];
      bus.consume(group({ batchSize: 20 }), async (events) => {
        sizes.push(events.length);
        await seen.take(events);
      });
      const live = await publish(5);
      await until("everything was handled", () => seen.events.length >= 100);
      expect(idsOf(seen.events)).toEqual([...ids, ...live.ids]);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
    });

    test("from the end: only what comes after it began", async () => {
      const { bus, publish } = fixture();
      await publish(3);
      const seen = collector();
      await bus.consume(group({ from: "end" }), seen.take).started;
      const { ids } = await publish(3);
      await until("the new ones were handled", () => seen.events.length >= 3);
      expect(idsOf(seen.events)).toEqual(ids);
    });

    test("two groups each get everything", async () => {
      const { bus, publish } = fixture();
      const seen = [collector(), collector()] as const;
      bus.consume(group({ group: "a" }), seen[0].take);
      bus.consume(group({ group: "b" }), seen[1].take);
      const { ids } = await publish(30);
      for (const each of seen) {
        await until("the group has it", () => each.events.length >= 30);
        expect(idsOf(each.events)).toEqual(ids);
      }
    });

    test("a refused batch is delivered again, and not the ones before it", async () => {
      const { bus, publish } = fixture();
      const seen = collector();
      let refusals = 0;
      bus.consume(group(), async (events) => {
        if (events.some((event) => idsOf([event])[0] === bad) && refusals++ < 3) throw new Error("not now");
        await seen.take(events);
      });
      let bad = "";
      const before = await publish(10);
      await until("the first were handled", () => seen.events.length >= 10);
      const poison = makeEvent(0);
      bad = poison.id;
      await bus.publish([poison]);
      await until("the refused one was handled", () => seen.has([bad]));
      expect(refusals).toBe(4);
      expect(idsOf(seen.events)).toEqual([...before.ids, bad]);
    });

    test("a group that stops goes on where it was, in another copy", async () => {
      const { bus, publish, secondBus } = fixture();
      const first = collector();
      const running = bus.consume(group(), first.take);
      const before = await publish(15);
      await until("the first half was handled", () => first.events.length >= 15);
      await running.stop();
      await running.stop();
      const meanwhile = await publish(15);
      const second = collector();
      (await secondBus()).consume(group({ from: "end" }), second.take);
      await until("the second half was handled", () => second.events.length >= 15);
      expect(idsOf(first.events)).toEqual(before.ids);
      expect(idsOf(second.events)).toEqual(meanwhile.ids);
    });

    test("what a stopping copy did not finish is done by another", async () => {
      const { bus, publish, secondBus } = fixture();
      let refused = 0;
      const running = bus.consume(group({ claimAfterMs: 60_000, batchSize: 50 }), async () => {
        refused += 1;
        throw new Error("never");
      });
      const { ids } = await publish(20);
      await until("it was refused", () => refused > 0);
      await running.stop();
      const seen = collector();
      (await secondBus()).consume(group({ claimAfterMs: 60_000 }), seen.take);
      await until("everything was handled", () => seen.has(ids));
    });

    test("two copies work for one group: nothing is lost, nothing is done twice", async () => {
      const { bus, publish, secondBus } = fixture();
      const seen = collector();
      await Promise.all([bus.consume(group(), seen.take).started, (await secondBus()).consume(group(), seen.take).started]);
      const ids: string[] = [];
      for (let round = 0; round < 10; round += 1) ids.push(...(await publish(30)).ids);
      await until("everything was handled", () => seen.events.length >= 300);
      expect(idsOf(seen.events).toSorted()).toEqual(ids.toSorted());
    });

    test("a dead copy's work is taken over", async () => {
      const { store, bus, publish } = fixture();
      const dying = await store.openCopy();
      const held = Promise.withResolvers<void>();
      const taken: string[] = [];
      await dying.bus.consume(group({ batchSize: 50 }), async (events) => {
        taken.push(...idsOf(events));
        await held.promise;
      }).started;
      const { ids } = await publish(20);
      await until("the copy has work in hand", () => taken.length > 0);
      await dying.lose();
      const seen = collector();
      bus.consume(group(), seen.take);
      await until("another copy has done it", () => seen.has(ids));
      held.resolve();
    }, 15_000);

    test("a slow copy that is alive keeps its work", async () => {
      const { bus, publish, secondBus } = fixture();
      const { ids } = await publish(1);
      const held = Promise.withResolvers<void>();
      const [slow, idle] = [collector(), collector()];
      await bus.consume(group({ claimAfterMs: 300 }), async (events) => {
        await slow.take(events);
        await held.promise;
      }).started;
      await until("the slow copy has it", () => slow.has(ids));
      await (await secondBus()).consume(group({ claimAfterMs: 300 }), idle.take).started;
      const since = performance.now();
      await until("four claim times have passed", () => performance.now() - since > 1_200);
      held.resolve();
      expect(idle.events).toEqual([]);
      expect(idsOf(slow.events)).toEqual(ids);
    });
  });
}
