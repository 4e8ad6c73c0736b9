import { expect, test } from "bun:test";
import { createAlarm } from "./alarm.ts";

const said = (threshold: number, values: readonly number[]) => {
  const alarm = createAlarm(threshold);
  return values.map((value) => alarm.look(value));
};

test("says once that it has begun, and once that it is over", () =>
  expect(said(100, [0, 99, 100, 500, 100, 81, 79, 0])).toEqual([
    ...[undefined, undefined, "begun", undefined, undefined, undefined, "over", undefined],
  ] as ReturnType<typeof said>));

test("a value that swings around the threshold is told of once", () => {
  const swings = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? 105 : 95));
  expect(said(100, swings).filter(Boolean)).toEqual(["begun"]);
});

test("it may begin again", () => expect(said(10, [10, 0, 10, 0]).filter(Boolean)).toEqual(["begun", "over", "begun", "over"]));
