import { expect, test } from "bun:test";
import { createWindow } from "./window.ts";

const at = (start = 0) => {
  let ms = start;
  return {
    now: () => ms,
    pass: (by: number) => {
      ms += by;
    },
  };
};

test("doubles while the workers take all of it between two looks", () => {
  const clock = at();
  const window = createWindow(5, clock.now);
  const rooms = Array.from({ length: 12 }, () => {
    clock.pass(5);
    const room = window.room(0);
    window.filled(true);
    return room;
  });
  expect(rooms).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_000, 2_000, 2_000]);
});

test("stays small when the workers are busy, and shrinks to one job", () => {
  const clock = at();
  const window = createWindow(5, clock.now);
  expect(window.room(0)).toBe(5);
  window.filled(true);
  for (let look = 0; look < 20; look += 1) {
    clock.pass(5);
    expect(window.room(5)).toBe(0);
  }
  expect(window.room(0)).toBeLessThanOrEqual(2);
});

test("does not grow when there was not more to hand on", () => {
  const clock = at();
  const window = createWindow(5, clock.now);
  for (let look = 0; look < 10; look += 1) {
    clock.pass(5);
    expect(window.room(0)).toBe(5);
    window.filled(false);
  }
});

test("what was learned of quick jobs is forgotten", () => {
  const clock = at();
  const window = createWindow(2, clock.now);
  for (let look = 0; look < 5; look += 1) {
    clock.pass(5);
    window.room(0);
    window.filled(true);
  }
  clock.pass(300);
  expect(window.room(0)).toBe(2);
});
