import { expect, test } from "bun:test";
import { createStaleCache, type StaleCache } from "./cache.ts";

class Outage extends Error {}

const clock = { ms: 0 };

function cacheOf(load: (key: string) => Promise<string>, entriesMax = 100): StaleCache<string> {
  return createStaleCache({
    load,
    ttlMs: 1_000,
    staleMs: 1_000,
    entriesMax,
    isOutage: (error) => error instanceof Outage,
    onStale: () => undefined,
    now: () => new Date(clock.ms),
  });
}

test("what is forgotten while it is being loaded is not remembered, and the next reader does not join that load", async () => {
  const loads: PromiseWithResolvers<string>[] = [];
  const cache = cacheOf(() => {
    const load = Promise.withResolvers<string>();
    loads.push(load);
    return load.promise;
  });
  const before = cache.get("a");
  cache.forget("a");
  const after = cache.get("a");
  expect(loads).toHaveLength(2);
  loads[1]?.resolve("new");
  loads[0]?.resolve("old");
  expect([await before, await after, await cache.get("a")]).toEqual(["old", "new", "new"]);
  expect(loads).toHaveLength(2);
});

test("a load that fails after it was forgotten takes nothing from the one after it", async () => {
  const loads: PromiseWithResolvers<string>[] = [];
  const cache = cacheOf(() => {
    const load = Promise.withResolvers<string>();
    loads.push(load);
    return load.promise;
  });
  const before = cache.get("a").catch(String);
  cache.forget("a");
  const after = cache.get("a");
  loads[1]?.resolve("new");
  await after;
  loads[0]?.reject(new Error("not found"));
  expect(await before).toContain("not found");
  expect(await cache.get("a")).toBe("new");
  expect(loads).toHaveLength(2);
});

test("a value is as old as the question, not as the answer", async () => {
  let loads = 0;
  const cache = cacheOf(async () => {
    loads += 1;
    clock.ms += 600;
    return "value";
  });
  await cache.get("a");
  clock.ms += 399;
  await cache.get("a");
  expect(loads).toBe(1);
  clock.ms += 1;
  await cache.get("a");
  expect(loads).toBe(2);
});

test("it holds so many, and the ones loaded last", async () => {
  const loaded: string[] = [];
  const cache = cacheOf(async (key) => {
    loaded.push(key);
    return key;
  }, 3);
  for (const key of ["a", "b", "c", "d"]) await cache.get(key);
  loaded.length = 0;
  for (const key of ["d", "c", "b"]) await cache.get(key);
  expect(loaded).toEqual([]);
  await cache.get("a");
  expect(loaded).toEqual(["a"]);
});

test("a failure is nobody's answer but that of those who waited for it", async () => {
  let fails = true;
  const cache = cacheOf(async () => {
    if (fails) throw new Outage("away");
    return "value";
  });
  const outcomes = await Promise.allSettled([cache.get("a"), cache.get("a")]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  fails = false;
  expect(await cache.get("a")).toBe("value");
});
