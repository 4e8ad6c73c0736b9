import { expect, test } from "bun:test";
import { type LongRunner, type Rung, rungOf } from "./ladder.ts";

const thresholds = { warnMs: 100, pauseMs: 200, stopMs: 300 };
const runner: LongRunner = { elapsedMs: 0, warned: false, pauses: 0, canGoOn: true, patience: 1 };

test.each<[Partial<LongRunner>, Rung | undefined]>([
  [{ elapsedMs: 99 }, undefined],
  [{ elapsedMs: 100 }, "warn"],
  [{ elapsedMs: 150, warned: true }, undefined],
  [{ elapsedMs: 200, warned: true }, "pause"],
  [{ elapsedMs: 250, warned: true, canGoOn: false }, undefined],
  [{ elapsedMs: 200, pauses: 1 }, "pause"],
  [{ elapsedMs: 200, pauses: 2 }, "stop"],
  [{ elapsedMs: 300 }, "stop"],
  [{ elapsedMs: 300, canGoOn: false }, "stop"],
  [{ elapsedMs: 399, patience: 4 }, undefined],
  [{ elapsedMs: 400, patience: 4 }, "warn"],
  [{ elapsedMs: 1_200, patience: 4 }, "stop"],
])("%j: %p", (given, rung) => expect(rungOf({ ...runner, ...given }, thresholds)).toBe(rung as Rung));

test("a queue without a pause or an end only warns", () => {
  expect(rungOf({ ...runner, elapsedMs: 1e9 }, { warnMs: 100 })).toBe("warn");
  expect(rungOf({ ...runner, elapsedMs: 1e9, warned: true }, { warnMs: 100 })).toBeUndefined();
});
