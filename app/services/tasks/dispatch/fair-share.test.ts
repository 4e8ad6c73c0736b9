import { describe, expect, test } from "bun:test";
import { createFairShare } from "./fair-share.ts";

const unlimited = () => Number.POSITIVE_INFINITY;
const shares = (...waiting: readonly (string | [string, number])[]) => {
  const share = createFairShare();
  for (const it of waiting) share.add(typeof it === "string" ? { groupKey: it, weight: 1 } : { groupKey: it[0], weight: it[1] });
  return share;
};
const dealt = (turns: Map<string, number>) => Object.fromEntries(turns);

describe("turns", () => {
  test("go round among who waits", () => expect(dealt(shares("a", "b", "c").deal(9, unlimited))).toEqual({ a: 3, b: 3, c: 3 }));
  test("go by weight", () => expect(dealt(shares(["a", 3], ["b", 1]).deal(40, unlimited))).toEqual({ a: 30, b: 10 }));
  test("of a tenant are its groups' together", () =>
    expect(dealt(shares("a/1", "a/2", "a/3", "b").deal(60, unlimited))).toEqual({ "a/1": 10, "a/2": 10, "a/3": 10, b: 30 }));
  test("none without anybody", () => expect(dealt(createFairShare().deal(5, unlimited))).toEqual({}));

  test("who comes newly is next, and has saved nothing up", () => {
    const share = shares("a");
    share.deal(100_000, unlimited);
    share.add({ groupKey: "b", weight: 1 });
    expect(dealt(share.deal(2, unlimited))).toEqual({ a: 1, b: 1 });
    expect(dealt(share.deal(10, unlimited))).toEqual({ a: 5, b: 5 });
  });

  test("beyond a group's limit go to the others", () =>
    expect(dealt(shares("a", "b").deal(10, (key) => (key === "a" ? 2 : 100)))).toEqual({ a: 2, b: 8 }));
  test("are kept when all are at their limits", () => expect(dealt(shares("a", "b").deal(10, () => 1))).toEqual({ a: 1, b: 1 }));

  test("given back are as if they had not been dealt", () => {
    const share = shares("a", "b");
    share.deal(10, unlimited);
    share.undo("a", 5);
    expect(dealt(share.deal(5, unlimited))).toEqual({ a: 5 });
  });

  test("a group that left and comes again begins where the others are", () => {
    const share = shares("a", "b");
    share.remove("b");
    share.deal(50, unlimited);
    share.add({ groupKey: "b", weight: 1 });
    expect(dealt(share.deal(4, unlimited))).toEqual({ a: 2, b: 2 });
    expect(share.size).toBe(2);
  });
});

test("many tenants get alike, to a turn", () => {
  const names = Array.from({ length: 500 }, (_, index) => `t${index}`);
  const turns = shares(...names).deal(1_250, unlimited);
  expect(new Set(turns.values())).toEqual(new Set([2, 3]));
});
