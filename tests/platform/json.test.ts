import { expect, test } from "bun:test";
import { isWithinDepth } from "../../app/platform/json.ts";

test.each([
  [null, 0, true],
  ["text", 0, true],
  [[], 0, false],
  [[], 1, true],
  [[1], 1, true],
  [[[]], 1, false],
  [{ a: [1] }, 2, true],
  [{ a: [1] }, 1, false],
])("%j within %i levels: %p", (value, depthMax, within) => {
  expect(isWithinDepth(value, depthMax)).toBe(within);
});

test("a hundred thousand levels are refused without recursing", () => {
  let value: unknown = 1;
  for (let n = 0; n < 100_000; n += 1) value = [value];
  expect(isWithinDepth(value, 200)).toBe(false);
});
