import { expect, test } from "bun:test";
import { createWindow } from "./window.ts";

/** Looks every `everyMs` at workers that take `perMs`, with more waiting in the record than there ever is room for; returns what waits before each look. */
function play(options: {
  readonly sizeMin: number;
  readonly looks: number;
  readonly everyMs: number;
  readonly perMs: (ms: number) => number;
}) {
  let ms = 0;
  let waiting = 0;
  const window = createWindow(options.sizeMin, () => ms);
  const before: number[] = [];
  const rooms: number[] = [];
  for (let look = 0; look < options.looks; look += 1) {
    before.push(waiting);
    const room = window.room(waiting);
    rooms.push(room);
    window.filled(room);
    ms += options.everyMs;
    waiting = Math.max(0, waiting + room - options.perMs(ms) * options.everyMs);
  }
  return { before, rooms };
}

test("grows until quick workers find something at every look", () => {
  const { before, rooms } = play({ sizeMin: 5, looks: 30, everyMs: 10, perMs: () => 4 });
  expect(rooms.slice(0, 2)).toEqual([5, 25]);
  // What they take in 50 ms, less what they have taken since.
  for (const waiting of before.slice(10)) expect(waiting).toBe(160);
});

test("never beyond two thousand", () => {
  const { rooms } = play({ sizeMin: 5, looks: 30, everyMs: 10, perMs: () => 10_000 });
  expect(Math.max(...rooms)).toBe(2_000);
});

test("as many as the least number of workers when they are slow", () => {
  const { before } = play({ sizeMin: 5, looks: 30, everyMs: 10, perMs: () => 0.001 });
  for (const waiting of before) expect(waiting).toBeLessThanOrEqual(5);
});

test("what was learned of quick jobs is forgotten when slow ones come", () => {
  const { before } = play({ sizeMin: 2, looks: 700, everyMs: 10, perMs: (ms) => (ms < 500 ? 10 : 0.1) });
  expect(Math.max(...before.slice(10, 40))).toBeGreaterThan(300);
  expect(before.at(-1)).toBeLessThanOrEqual(10);
});

test("when nothing was handed on, it is small again", () => {
  let ms = 0;
  const window = createWindow(2, () => ms);
  for (let look = 0; look < 5; look += 1) {
    window.filled(window.room(0));
    ms += 10;
  }
  expect(window.room(0)).toBeGreaterThan(2);
  ms += 300;
  window.room(0);
  ms += 10;
  expect(window.room(0)).toBe(2);
});
