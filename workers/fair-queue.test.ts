import { expect, test } from "bun:test";
import { createFairQueue } from "./fair-queue.ts";

function filled() {
  const queue = createFairQueue<string>();
  for (const item of ["a1", "a2", "a3", "b1", "a4", "c1"]) queue.push(item[0] ?? "", item);
  return queue;
}

test("owners take turns, each in its own order", () => {
  const queue = filled();
  expect(Array.from({ length: 7 }, () => queue.shift())).toEqual(["a1", "b1", "c1", "a2", "a3", "a4", undefined]);
  expect(queue.length).toBe(0);
});

test("an owner that comes back waits its turn", () => {
  const queue = filled();
  queue.shift();
  queue.shift();
  queue.push("b", "b2");
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(["c1", "a2", "b2"]);
});

test("what is taken out does not come, and is not counted", () => {
  const queue = filled();
  expect(queue.remove((item) => item === "a2")).toBe("a2");
  expect(queue.remove((item) => item === "a2")).toBeUndefined();
  expect([queue.length, queue.lengthOf("a"), queue.lengthOf("z")]).toEqual([5, 3, 0]);
  expect(queue.clear().sort()).toEqual(["a1", "a3", "a4", "b1", "c1"]);
  expect([queue.length, queue.shift()]).toEqual([0, undefined]);
});
