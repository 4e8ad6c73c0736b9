import { describe, expect, test } from "bun:test";
import { createScaler, type Scaling } from "./scaler.ts";

interface World {
  readonly min: number;
  readonly max: number;
  readonly seconds: number;
  /** Jobs that come in the second. */
  readonly arrivals: (second: number) => number;
  readonly runMs: (second: number) => number;
}

/** A queue and one thread that works it, in steps of 100 ms; the scaler looks once a second. */
function simulate({ min, max, seconds, arrivals, runMs }: World) {
  let nowMs = 0;
  const scaler = createScaler({ concurrencyMin: min, concurrencyMax: max }, () => nowMs);
  let waiting: number[] = [];
  let running: number[] = [];
  const changes: (Scaling & { readonly second: number })[] = [];
  const depths: number[] = [];
  const waits: number[] = [];
  let due = 0;
  for (; nowMs < seconds * 1_000; nowMs += 100) {
    const second = Math.floor(nowMs / 1_000);
    due += arrivals(second) / 10;
    for (; due >= 1; due -= 1) waiting.push(nowMs);
    running = running.filter((endsAt) => endsAt > nowMs);
    const free = Math.max(0, scaler.current - running.length);
    const begun = waiting.slice(0, free);
    waiting = waiting.slice(free);
    for (const since of begun) {
      waits.push(nowMs - since);
      running.push(nowMs + runMs(second));
    }
    if (nowMs % 1_000 === 0) {
      const oldestWaitingMs = waiting[0] === undefined ? 0 : nowMs - waiting[0];
      const change = scaler.look({ depth: waiting.length, oldestWaitingMs, active: running.length, runMs: runMs(second) });
      if (change) changes.push({ ...change, second });
      depths.push(waiting.length);
    }
    expect(scaler.current).toBeGreaterThanOrEqual(min);
    expect(scaler.current).toBeLessThanOrEqual(max);
  }
  const directions = changes.map(({ from, to }) => Math.sign(to - from));
  return {
    current: scaler.current,
    changes,
    /** How often it turned round. */
    turns: directions.filter((direction, index) => index > 0 && direction !== directions[index - 1]).length,
    depths,
    waitMax: Math.max(...waits),
    left: waiting.length,
  };
}

const half = () => 500;

describe("it does not starve", () => {
  test("a step: grows to what the load needs within seconds, and works off what has gathered", () => {
    const { current, depths, turns } = simulate({ min: 1, max: 100, seconds: 120, arrivals: (s) => (s < 10 ? 1 : 40), runMs: half });
    expect(current).toBeGreaterThanOrEqual(20);
    expect(Math.max(...depths.slice(40))).toBeLessThanOrEqual(5);
    expect(turns).toBeLessThanOrEqual(1);
  });

  test("more than the bounds allow: all that there are work, without a break", () => {
    const { current, turns } = simulate({ min: 1, max: 10, seconds: 120, arrivals: () => 100, runMs: half });
    expect([current, turns]).toEqual([10, 0]);
  });

  test("a burst is worked off", () => {
    const { left, waitMax } = simulate({ min: 1, max: 50, seconds: 60, arrivals: (s) => (s === 5 ? 500 : 0), runMs: half });
    expect(left).toBe(0);
    expect(waitMax).toBeLessThan(20_000);
  });

  test("jobs that suddenly take longer", () => {
    const { depths, left } = simulate({
      ...{ min: 1, max: 100, seconds: 200, arrivals: () => 5 },
      runMs: (s) => (s < 60 ? 100 : 8_000),
    });
    expect(Math.max(...depths.slice(120))).toBeLessThanOrEqual(10);
    expect(left).toBeLessThanOrEqual(10);
  });
});

describe("it does not oscillate", () => {
  test("a steady load: no change once it fits", () => {
    const { changes } = simulate({ min: 1, max: 100, seconds: 300, arrivals: () => 20, runMs: half });
    expect(changes.filter(({ second }) => second > 60)).toEqual([]);
  });

  test("a load that swings every ten seconds keeps the workers of its peaks", () => {
    const { turns } = simulate({ min: 1, max: 100, seconds: 300, arrivals: (s) => (s % 10 < 5 ? 40 : 2), runMs: half });
    expect(turns).toBeLessThanOrEqual(2);
  });

  test("a sine of two minutes: at most one turn up and one down in each", () => {
    const { turns, waitMax } = simulate({
      ...{ min: 1, max: 100, seconds: 600, runMs: half },
      arrivals: (s) => 30 + 29 * Math.sin((s / 120) * 2 * Math.PI),
    });
    expect(turns).toBeLessThanOrEqual(11);
    expect(waitMax).toBeLessThan(10_000);
  });

  test("without work it goes back to its least, and stays", () => {
    const { current, changes } = simulate({ min: 2, max: 50, seconds: 120, arrivals: (s) => (s < 20 ? 40 : 0), runMs: half });
    expect(current).toBe(2);
    expect(changes.filter(({ second }) => second > 60)).toEqual([]);
  });
});
