import { afterAll, describe, expect, test } from "bun:test";
import { createGroupStore } from "../../app/platform/bus/group/store.ts";
import type { BusEvent, StoredEvent } from "../../app/platform/bus/port.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { openBus } from "../../app/platform/substrate.ts";
import { createPolicy } from "../../app/services/events/retention/policy.ts";
import { createSweepStore } from "../../app/services/events/retention/store.ts";
import { createSweep } from "../../app/services/events/retention/sweep.ts";
import { createEventTypeStore } from "../../app/services/events/types/store.ts";
import { openDatabase } from "../../db/client.ts";
import { idsOf, makeEvent } from "../conformance/bus.ts";
import { substrates } from "../copy.ts";
import { testLogger, testPostgres, testRedis } from "../services.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

describe("the policy", () => {
  const policy = createPolicy({
    hours: 24,
    overrides: { "task.*": { hours: 1 }, "billing.>": { hours: 48, lengthMax: 5 } },
    ofTypes: [
      { type: "shop.sold", retentionHours: 2, lengthMax: 10 },
      { type: "task.own", retentionHours: 5, lengthMax: null },
    ],
  });
  test.each([
    ["task.changed", 1, undefined],
    ["task.own", 1, undefined],
    ["billing.a.b", 48, 5],
    ["shop.sold", 2, 10],
    ["user.signed_up", 24, undefined],
  ])("%s: %p hours, at most %p", (type, hours, lengthMax) => expect(policy.ruleOf(type)).toEqual({ hours, lengthMax }));
  test("its ages", () => expect([policy.hoursMax, policy.shorter]).toEqual([48, [1, 2, 5, 24]]));
});

describe.each(await substrates())("retention on %s", (substrate) => {
  /** An own log, and a sweep whose clock can be set forward. */
  async function open(over: Partial<Parameters<typeof createSweep>[0]> = {}) {
    const databaseUrl = await testPostgres();
    const redis = substrate === "redis" ? await testRedis() : undefined;
    const config = { redis: redis ? ({ kind: "single", url: redis } as const) : undefined, KEELSON_KEY_PREFIX: `test-${randomToken(6)}` };
    const log = testLogger("retention");
    const bus = stack.adopt(openBus({ config, databaseUrl }, { connectionsMax: 3, applicationName: "retention", log }), (it) => it.close());
    const { db } = stack.adopt(openDatabase({ url: databaseUrl, connectionsMax: 4, applicationName: "retention" }), (it) => it.close());
    const groups = createGroupStore(db);
    const told: BusEvent[] = [];
    let ahead = 0;
    const now = () => new Date(Date.now() + ahead * 3_600_000);
    const transact = createTransact({ db, now, wake: () => undefined });
    // What the outbox would hand on, caught before it does.
    const watched: typeof transact = (work) =>
      transact((unit) =>
        work({
          ...unit,
          publish: (contract, event) => void told.push({ ...makeEvent(0), type: contract.type, ...event, data: event.data }),
        }),
      );
    const sweep = createSweep({
      bus,
      store: createSweepStore(db),
      groups,
      transact: watched,
      hours: 24,
      overrides: {},
      lengthMax: undefined,
      now,
      ...over,
    });
    const left = async (): Promise<StoredEvent[]> => [...(await bus.read({ after: "0-0", limit: 500 })).events];
    return { bus, db, groups, told, sweep, left, hoursPass: (hours: number) => (ahead += hours) };
  }
  const some = (type: string, count: number) => Array.from({ length: count }, (_, n) => makeEvent(n, { type }));

  test("each type for its own time; nothing of what is younger", async () => {
    const { bus, db, sweep, left, hoursPass } = await open({ overrides: { "a.*": { hours: 1 } } });
    await createEventTypeStore(db).insert(
      { type: "b.x", version: 1, schema: true, description: "", audience: "owner", retentionHours: 2, lengthMax: null },
      db,
    );
    const [a, b, c] = [some("a.x", 600), some("b.x", 3), some("c.x", 3)];
    await bus.publish([...a.slice(0, 300), ...b, ...c, ...a.slice(300)]);
    expect(await sweep()).toBe(0);
    hoursPass(1.5);
    expect(await sweep()).toBe(600);
    expect(idsOf(await left())).toEqual(idsOf([...b, ...c]));
    hoursPass(1);
    expect(await sweep()).toBe(3);
    expect(idsOf(await left())).toEqual(idsOf(c));
    expect(await sweep()).toBe(0);
    // The stores count their own time: what goes by the usual age is their trim, which has its own tests.
    const swept = await createSweepStore(db).all();
    expect([...swept.keys()].filter((name) => !name.startsWith(":")).toSorted()).toEqual(["a.x", "b.x"]);
  });

  test("a type that is kept longer than usual outlives the others", async () => {
    const { bus, sweep, left, hoursPass } = await open({ overrides: { "long.>": { hours: 100 } } });
    const [usual, long] = [some("usual.x", 5), some("long.x", 5)];
    await bus.publish([...usual, ...long]);
    hoursPass(25);
    expect(await sweep()).toBe(5);
    expect(idsOf(await left())).toEqual(idsOf(long));
  });

  test("so many of a type, the newest", async () => {
    const { bus, sweep, left } = await open({ overrides: { "a.x": { lengthMax: 4 } } });
    const [first, other, second] = [some("a.x", 700), some("b.x", 3), some("a.x", 3)];
    await bus.publish([...first, ...other, ...second]);
    expect(await sweep()).toBe(699);
    expect(idsOf(await left())).toEqual(idsOf([...first.slice(-1), ...other, ...second]));
  });

  test("what a durable group has not handled yet goes too, and is told once", async () => {
    const { bus, groups, told, sweep, hoursPass } = await open({ overrides: { "a.*": { hours: 1 } }, lengthMax: 2 });
    const cursors = await bus.publish([...some("a.x", 4), ...some("b.x", 2)]);
    await groups.ensure("slow", [">"], async () => cursors[1] ?? "");
    await groups.ensure("done", [">"], async () => cursors[5] ?? "");
    expect(await sweep()).toBe(4);
    const data = { group: "slow", patterns: [">"], after: cursors[1], through: cursors[3], events: 2 };
    expect(told.map(({ type, subject, data: it }) => [type, subject, it])).toEqual([["event.group_overrun", "slow", data]]);
    await sweep();
    expect(told).toHaveLength(1);
    await bus.publish(some("a.x", 1));
    hoursPass(2);
    await sweep();
    // One more that "slow" had not seen fell to the length, and the newest to its age: neither group had seen that.
    expect(told.map(({ subject }) => subject)).toEqual(["slow", "slow", "done", "slow"]);
  });
});
