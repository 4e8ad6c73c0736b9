import { expect, test } from "bun:test";
import { toDecision } from "./decision.ts";

const policy = { name: "default", limit: 5, windowSeconds: 60 };

test.each([
  [0, 0],
  [1, 1],
  [999, 1],
  [1_000, 1],
  [1_001, 2],
  [60_000, 60],
  [-5, 0],
])("%d ms to go are %d s", (resetMs, seconds) => {
  expect(toDecision(policy, { allowed: true, used: 1, resetMs }).resetSeconds).toBe(seconds);
});

test("a rounding error of floats is no second", () => {
  const now = 148_523.300_001;
  for (const resetMs of [60_000.000_000_01, now + 60_000 - now]) {
    expect(toDecision(policy, { allowed: true, used: 1, resetMs }).resetSeconds).toBe(60);
  }
});
