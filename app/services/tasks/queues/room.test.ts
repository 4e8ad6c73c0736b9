import { expect, test } from "bun:test";
import { queueTable } from "../../../platform/queue/overrides.ts";
import { createRoom } from "./room.ts";

function roomOf(waitingMax: number) {
  const it = { now: 0, waiting: 0, counted: 0, counting: Promise.resolve() };
  const room = createRoom({
    settings: queueTable({ maintenance: { waitingMax } }),
    count: async () => {
      it.counted += 1;
      await it.counting;
      return Math.min(it.waiting, waitingMax);
    },
    nowMs: () => it.now,
  });
  const isFull = () =>
    room.assert("maintenance").then(
      () => false,
      () => true,
    );
  return { it, isFull };
}

test("a small queue is counted once a second, and full when as many wait as may", async () => {
  const { it, isFull } = roomOf(10);
  it.waiting = 9;
  expect([await isFull(), await isFull()]).toEqual([false, false]);
  expect(it.counted).toBe(1);
  it.waiting = 10;
  it.now = 1_000;
  // Told as it was, while it is counted anew.
  expect(await isFull()).toBe(false);
  expect(await isFull()).toBe(true);
  it.waiting = 3;
  it.now = 2_000;
  await isFull();
  expect(await isFull()).toBe(false);
  expect(it.counted).toBe(3);
});

test("a queue with room for millions is not counted before they can have come", async () => {
  const { it, isFull } = roomOf(5_000_000);
  it.waiting = 1_000_000;
  await isFull();
  it.now = 39_000;
  await isFull();
  expect(it.counted).toBe(1);
  it.now = 40_000;
  await isFull();
  expect(it.counted).toBe(2);
});

test("a slow count holds up only those who come before there has been one, and is made once for all of them", async () => {
  const { it, isFull } = roomOf(10);
  const gate = Promise.withResolvers<void>();
  it.counting = gate.promise;
  const first = [isFull(), isFull()];
  gate.resolve();
  expect(await Promise.all(first)).toEqual([false, false]);
  it.now = 5_000;
  it.counting = new Promise(() => undefined);
  expect(await isFull()).toBe(false);
  expect(it.counted).toBe(2);
});

test("a count that fails fails who needs it, and is tried again", async () => {
  const { it, isFull } = roomOf(10);
  it.counting = Promise.reject(new Error("the database is away"));
  expect(await isFull()).toBe(true);
  it.counting = Promise.resolve();
  expect(await isFull()).toBe(false);
});
