import { describe, expect, test } from "bun:test";
import { type AccessProfile, type AccessSeen, observe } from "./profile.ts";

const day = 86_400_000;
const noon = Date.parse("2026-03-01T12:00:00Z");
const home = "192.0.2.0/24";

function after(seen: readonly AccessSeen[], from?: AccessProfile) {
  let profile = from;
  const told: (readonly [number, string])[] = [];
  for (const [index, access] of seen.entries()) {
    const { profile: next, anomalies } = observe(profile, access);
    profile = next;
    told.push(...anomalies.map(({ kind }) => [index, kind] as const));
  }
  if (!profile) throw new Error("nothing was seen");
  return { profile, told };
}

/** Four a day at noon, two minutes apart. */
const days = (count: number, network = home): AccessSeen[] =>
  Array.from({ length: count * 4 }, (_, n) => ({ atMs: noon + Math.floor(n / 4) * day + (n % 4) * 120_000, network }));
const rush = (from: number, count: number, network = home): AccessSeen[] =>
  Array.from({ length: count }, (_, n) => ({ atMs: from + n * 100, network }));

describe("without a history nothing is unusual", () => {
  test.each([
    {
      what: "a program that begins by reading all it needs, from many places",
      seen: rush(noon, 300).map((it, n) => ({ ...it, network: `n${n}` })),
    },
    { what: "its second hour", seen: [...rush(noon, 60), ...rush(noon + 3_600_000, 300)] },
    { what: "a first night after a few days", seen: [...days(6), { atMs: noon + 6.5 * day, network: home }] },
    {
      what: "few accesses in many days",
      seen: [...days(40).filter((_, n) => n % 4 === 0), { atMs: noon + 50.5 * day, network: "elsewhere" }],
    },
  ])("$what", ({ seen }) => {
    expect(after(seen).told).toEqual([]);
  });
});

describe("with one", () => {
  const { profile } = after(days(20));
  const later = noon + 21 * day;
  test.each([
    { what: "the same again", seen: [{ atMs: later, network: home }], told: [] },
    { what: "an hour beside the usual one", seen: [{ atMs: later + 3_600_000, network: home }], told: [] },
    { what: "two hours later", seen: [{ atMs: later + 2 * 3_600_000, network: home }], told: ["hour"] },
    { what: "the middle of the night", seen: [{ atMs: later + 12 * 3_600_000, network: home }], told: ["hour"] },
    { what: "another network", seen: [{ atMs: later, network: "elsewhere" }], told: ["network"] },
    { what: "no known network", seen: [{ atMs: later, network: undefined }], told: [] },
    { what: "thirty in a minute", seen: rush(later, 30), told: [] },
    { what: "thirty-one in a minute, and more", seen: rush(later, 200), told: ["rate"] },
    { what: "all at once", seen: rush(later + 12 * 3_600_000, 200, "elsewhere"), told: ["hour", "network", "rate"] },
  ])("$what", ({ seen, told }) => {
    expect(after(seen, profile).told.map(([, kind]) => kind)).toEqual([...told]);
  });

  test("the hour before midnight is beside the one after it", () => {
    const midnight = noon + day / 2;
    const { profile: late } = after(days(20).map(({ atMs, network }) => ({ atMs: atMs + day / 2, network })));
    expect(after([{ atMs: midnight + 21 * day - 1, network: home }], late).told).toEqual([]);
    expect(after([{ atMs: midnight + 21 * day - 3_600_001, network: home }], late).told.map(([, kind]) => kind)).toEqual(["hour"]);
  });

  test("each kind at most once an hour, and again in the next", () => {
    const networks = Array.from({ length: 6 }, (_, n) => ({ atMs: later + n * 900_000, network: `n${n}` }));
    expect(after(networks, profile).told).toEqual([
      [0, "network"],
      [4, "network"],
    ]);
  });

  test("five times the most of any minute is usual, more is not; the most counts half after thirty days", () => {
    const { profile: busy } = after([...rush(later, 40), { atMs: later + 60_000, network: home }], profile);
    expect(after(rush(later + day, 190), busy).told).toEqual([]);
    expect(after(rush(later + day, 201), busy).told.map(([, kind]) => kind)).toEqual(["rate"]);
    expect(after(rush(later + 30 * day, 101), busy).told.map(([, kind]) => kind)).toEqual(["rate"]);
  });

  test("an access that comes late counts for the minute that has begun", () => {
    const seen = [...rush(later, 20), { atMs: later - 1, network: home }, ...rush(later + 5_000, 10)];
    expect(after(seen, profile).told.map(([, kind]) => kind)).toEqual(["rate"]);
  });
});
