import { expect, test } from "bun:test";
import { createValueCache } from "./cache.ts";

const kept = (byte: number) => new Uint8Array(100).fill(byte);

test("answers for the very same bytes, for as long as they are fresh", async () => {
  const cache = createValueCache({ ttlMs: 50, bytesMax: 10_000 });
  cache.put("a", { kept: kept(1), value: "one", plainBytes: 3 });
  expect([cache.find("a", kept(1)), cache.find("b", kept(1))]).toEqual(["one", undefined]);
  expect(cache.find("a", kept(2))).toBeUndefined();
  expect([cache.find("a", kept(1)), cache.bytes]).toEqual([undefined, 0]);
  cache.put("a", { kept: kept(1), value: "one", plainBytes: 3 });
  const from = performance.now();
  while (cache.find("a", kept(1)) !== undefined) {
    expect(performance.now() - from).toBeLessThan(5_000);
    await Bun.sleep(1);
  }
  expect(performance.now() - from).toBeGreaterThanOrEqual(45);
  expect(cache.bytes).toBe(0);
});

test("keeps no more than it may, the newest", () => {
  const cache = createValueCache({ ttlMs: 60_000, bytesMax: 1_000 });
  for (let n = 0; n < 100; n += 1) cache.put(`${n}`, { kept: kept(n), value: `${n}`, plainBytes: 100 });
  expect(cache.bytes).toBe(1_000);
  expect([cache.find("94", kept(94)), cache.find("95", kept(95)), cache.find("99", kept(99))]).toEqual([undefined, "95", "99"]);
  cache.put("99", { kept: kept(1), value: "again", plainBytes: 100 });
  expect([cache.find("99", kept(1)), cache.bytes]).toEqual(["again", 1_000]);
});
