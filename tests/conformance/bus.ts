import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { beginning, compareCursors, isCursor } from "../../app/platform/bus/cursor.ts";
import type { Bus, BusEvent, StoredEvent } from "../../app/platform/bus/port.ts";
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
        const full = makeEvent(1, {
          ...{ audience: "usr_1", tenant: "team_1", requestId: "req_1", key: "k", source: "/s", version: 2, actor: "usr_2" },
          extensions: { a: 1, b: "c", d: true },
          data: { deep: [1, null, { ok: true }] },
        });
        const { subject: _, ...bare } = makeEvent(2, { data: null });
        const cursors = await bus.publish([full, bare]);
        const { events, next } = await bus.read({ after: beginning, limit: 10 });
        expect(events.map(({ storedAt: _, ...event }) => event)).toEqual([
          { ...full, cursor: cursors[0] ?? "" },
          { ...bare, cursor: cursors[1] ?? "" },
        ]);
        for (const { storedAt } of events) expect(Math.abs(storedAt - Date.now())).toBeLessThan(60_000);
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

      test("events that have something else to be told by: the same id is not the same event", async () => {
        const [a, b] = [makeEvent(1, { id: "x", uniqueId: "ada x" }), makeEvent(2, { id: "x", uniqueId: "eve x" })];
        await bus.publish([a, b, a]);
        await bus.publish([b]);
        const { events } = await bus.read({ after: beginning, limit: 10 });
        expect(events.map(({ id, data }) => [id, data])).toEqual([
          ["x", { n: 1 }],
          ["x", { n: 2 }],
        ]);
        expect(events.every((event) => !("uniqueId" in event))).toBe(true);
      });

      test("backwards: the newest first, a page at a time", async () => {
        const { ids } = await publish(25);
        const first = await bus.readBack({ limit: 10 });
        const second = await bus.readBack({ before: first.at(-1)?.cursor ?? "", limit: 20 });
        expect([...idsOf(first), ...idsOf(second)]).toEqual(ids.toReversed());
        await expect(bus.readBack({ before: "x", limit: 1 })).rejects.toThrow(RangeError);
      });

      test("the position before a time", async () => {
        const { ids } = await publish(5);
        expect((await bus.read({ after: await bus.before(new Date(Date.now() - 60_000)), limit: 10 })).events).toHaveLength(5);
        expect((await bus.read({ after: await bus.before(new Date(0)), limit: 10 })).events).toHaveLength(5);
        expect((await bus.read({ after: await bus.before(new Date(Date.now() + 60_000)), limit: 10 })).events).toHaveLength(0);
        const [third] = (await bus.readBack({ limit: 3 })).slice(2);
        const from = await bus.before(new Date(third?.storedAt ?? 0));
        expect(idsOf((await bus.read({ after: from, limit: 10 })).events)).toContain(ids[2] ?? "");
      });

      test("single events can be removed, and what is left counted", async () => {
        const { ids, cursors } = await publish(5);
        expect(await bus.length()).toBe(5);
        expect(await bus.remove([cursors[1] ?? "", cursors[3] ?? ""])).toBe(2);
        expect(await bus.remove([])).toBe(0);
        expect(await bus.length()).toBe(3);
        const { events, trimmed } = await bus.read({ after: cursors[0] ?? "", limit: 10 });
        expect(idsOf(events)).toEqual([ids[2] ?? "", ids[4] ?? ""]);
        expect(trimmed).toBe(false);
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

      test("publish rejects within seconds when the store is gone, and so does ping", async () => {
        await publish(1);
        await copy.lose();
        const since = performance.now();
        await expect(bus.publish(makeEvents(2))).rejects.toThrow();
        await expect(bus.ping()).rejects.toThrow();
        expect(performance.now() - since).toBeLessThan(8_000);
      }, 15_000);
    });
  });
}
