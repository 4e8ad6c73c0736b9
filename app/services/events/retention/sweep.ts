import { compareCursors } from "../../../platform/bus/cursor.ts";
import type { GroupRow, GroupStore } from "../../../platform/bus/group/store.ts";
import type { Bus, Cursor, StoredEvent } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { groupOverrun } from "../events.ts";
import { createPolicy, type Policy, type PolicyOptions } from "./policy.ts";
import type { SweepStore } from "./store.ts";

export interface SweepDeps extends Omit<PolicyOptions, "ofTypes"> {
  readonly bus: Pick<Bus, "before" | "origin" | "read" | "readBack" | "remove" | "trim">;
  readonly store: SweepStore;
  readonly groups: Pick<GroupStore, "list">;
  readonly transact: Transact;
  /** Of the whole log. */
  readonly lengthMax: number | undefined;
  readonly now: Now;
}

const hourMs = 3_600_000;
const pageSize = 500;
/** To count what there is of a type takes a look at the whole log. */
const countEveryMs = 300_000;

/** Removes what is too old or too much, by type. What a durable group has not handled yet goes too, and is told: the log does not grow without end. */
export function createSweep(deps: SweepDeps) {
  const { bus, store, groups, transact, now } = deps;
  let countedAt = Number.NEGATIVE_INFINITY;

  const ageOf = (hours: number) => now().getTime() - hours * hourMs;

  const remove = async (events: readonly StoredEvent[]): Promise<number> => {
    if (events.length === 0) return 0;
    await tellOverrun(events);
    // Noted first: a reader is rather told of a gap that is none than not of one.
    await store.put(new Map(events.map(({ type, cursor }) => [type, cursor])));
    return bus.remove(events.map(({ cursor }) => cursor));
  };

  const tellOverrun = async (events: readonly StoredEvent[]): Promise<void> => {
    for (const group of await groups.list())
      await tellGroup(
        group,
        events.filter(({ cursor }) => compareCursors(cursor, group.cursor) > 0),
      );
  };

  const tellGroup = async ({ name, cursor, patterns }: GroupRow, lost: readonly StoredEvent[]): Promise<void> => {
    const last = lost.at(-1);
    if (!last) return;
    const data = { group: name, patterns, after: cursor, through: last.cursor, events: lost.length };
    await transact(async (unit) => unit.publish(groupOverrun, { subject: name, data }));
  };

  /** Each event is looked at once for each age. */
  const sweepAge = async (policy: Policy, hours: number): Promise<number> => {
    const name = `:${policy.name}:${hours}`;
    let position = (await store.find([name])).get(name) ?? (await bus.origin());
    let removed = 0;
    for (;;) {
      const { events, next } = await bus.read({ after: position, limit: pageSize });
      const old = events.filter(({ storedAt }) => storedAt < ageOf(hours));
      removed += await remove(old.filter(({ type }) => policy.ruleOf(type).hours <= hours));
      position = old.length === events.length ? next : (old.at(-1)?.cursor ?? position);
      await store.put(new Map([[name, position]]));
      if (old.length < pageSize) return removed;
    }
  };

  /** From the newest backwards: what comes after so many of a type goes. */
  const sweepLengths = async (policy: Policy): Promise<number> => {
    const seen = new Map<string, number>();
    let before: Cursor | undefined;
    let removed = 0;
    for (;;) {
      const page = await bus.readBack({ ...(before === undefined ? {} : { before }), limit: pageSize });
      const surplus = page.filter(({ type }) => {
        const count = (seen.get(type) ?? 0) + 1;
        seen.set(type, count);
        return count > (policy.ruleOf(type).lengthMax ?? Number.POSITIVE_INFINITY);
      });
      removed += await remove(surplus.toReversed());
      before = page.at(-1)?.cursor;
      if (page.length < pageSize) return removed;
    }
  };

  /** Cuts the beginning off, and tells of the groups that had not come so far. */
  const trim = async (bounds: Parameters<Bus["trim"]>[0]): Promise<number> => {
    const before = await bus.origin();
    const behind = await Promise.all(
      (await groups.list()).map(async (group) => ({ group, next: (await bus.read({ after: group.cursor, limit: pageSize })).events })),
    );
    const removed = await bus.trim(bounds);
    const through = await bus.origin();
    if (compareCursors(through, before) <= 0) return removed;
    for (const { group, next } of behind)
      await tellGroup(
        group,
        next.filter(({ cursor }) => compareCursors(cursor, through) <= 0),
      );
    return removed;
  };

  /** Returns how many events went. */
  return async function sweep(): Promise<number> {
    const policy = createPolicy({ ...deps, ofTypes: await store.rules() });
    const { lengthMax } = deps;
    let removed = await trim({ ageMaxMs: policy.hoursMax * hourMs, ...(lengthMax === undefined ? {} : { lengthMax }) });
    for (const hours of policy.shorter) removed += await sweepAge(policy, hours);
    if (policy.hasLengths && performance.now() - countedAt > countEveryMs) {
      countedAt = performance.now();
      removed += await sweepLengths(policy);
    }
    return removed;
  };
}
