import { describe, expect, test } from "bun:test";
import { createTimetable, cronMistake, isTimezone, type Timing } from "./timetable.ts";

const timing = (given: Partial<Timing>): Timing => ({
  cron: null,
  everyMs: null,
  timezone: "UTC",
  startsAt: null,
  endsAt: null,
  anchorAt: new Date(0),
  ...given,
});

function ticks(given: Partial<Timing>, from: string, count: number): string[] {
  const timetable = createTimetable(timing(given));
  const found: string[] = [];
  let at: Date | undefined = new Date(from);
  while (found.length < count && at) {
    at = timetable.next(at);
    if (at) found.push(at.toISOString().replace(".000Z", "Z"));
  }
  return found;
}

describe("the hour that is left out, and the one that comes twice", () => {
  const table: readonly [string, string, string, string, readonly string[]][] = [
    [
      "a fixed time in the gap comes once, an hour later",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
    ],
    ["the same in New York", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"]],
    [
      "the begin of the gap is its end",
      "0 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
    ],
    [
      "several in the gap",
      "0,30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
    ],
    [
      "what moves onto another comes once",
      "0 2,3 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"],
    ],
    [
      "every half hour goes on through the gap",
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:00:00Z",
      ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    ],
    [
      "a gap at midnight",
      "0,30 0 * * *",
      "America/Sao_Paulo",
      "2018-11-03T12:00:00Z",
      ["2018-11-04T03:00:00Z", "2018-11-04T03:30:00Z", "2018-11-05T02:00:00Z"],
    ],
    [
      "a gap of half an hour",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-03T00:00:00Z",
      ["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"],
    ],
    [
      "a fixed time in the repeated hour comes once, the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    ],
    ["the same in New York", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]],
    ["asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", ["2026-10-26T01:30:00Z"]],
    [
      "every second hour is fixed too",
      "0 */2 * * *",
      "Europe/Berlin",
      "2026-10-24T22:30:00Z",
      ["2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"],
    ],
    [
      "every half hour comes in both",
      "*/30 * * * *",
      "America/New_York",
      "2026-11-01T04:45:00Z",
      ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"],
    ],
  ];
  for (const [name, cron, timezone, from, expected] of table)
    test(`${timezone}, ${cron}: ${name}`, () => expect(ticks({ cron, timezone }, from, expected.length)).toEqual([...expected]));
});

test("what runs every hour comes in both of a repeated half hour", () =>
  expect(ticks({ cron: "*/20 * * * *", timezone: "Australia/Lord_Howe" }, "2026-04-04T14:30:00Z", 4)).toEqual([
    "2026-04-04T14:40:00Z",
    "2026-04-04T15:10:00Z",
    "2026-04-04T15:30:00Z",
    "2026-04-04T15:50:00Z",
  ]));

test("what runs every hour gets nothing more from a gap of half an hour", () =>
  expect(ticks({ cron: "*/20 * * * *", timezone: "Australia/Lord_Howe" }, "2026-10-03T15:00:00Z", 3)).toEqual([
    "2026-10-03T15:10:00Z",
    "2026-10-03T15:40:00Z",
    "2026-10-03T16:00:00Z",
  ]));

describe("cron", () => {
  test("with seconds, strictly after the moment", () =>
    expect(ticks({ cron: "*/20 * * * * *" }, "2026-01-01T00:00:20Z", 3)).toEqual([
      "2026-01-01T00:00:40Z",
      "2026-01-01T00:01:00Z",
      "2026-01-01T00:01:20Z",
    ]));
  test("from its start, included, to its end, included", () =>
    expect(
      ticks(
        { cron: "0 * * * *", startsAt: new Date("2026-01-02T03:00:00Z"), endsAt: new Date("2026-01-02T04:00:00Z") },
        "2026-01-01T00:00:00Z",
        5,
      ),
    ).toEqual(["2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z"]));

  const mistakes: readonly [string, RegExp][] = [
    ["", /empty/],
    ["* * * *", /4 fields/],
    ["daily", /1 field:/],
    ["@daily", /1 field:/],
    ["* * * * * * *", /7 fields/],
    ["61 * * * *", /61.*0-59/],
    ["* 24 * * *", /24.*0-23/],
    ["a b c d e", /characters/],
    ["*/0 * * * *", /repeat/],
    ["5-1 * * * *", /range/],
    ["0 0 30 2 *", /day of month/],
    ["0 0 * * 1#6", /occurrence/],
    ["H * * * *", /H/],
    ["0 H(0-7) * * *", /H/],
  ];
  for (const [cron, says] of mistakes) test(`"${cron}" is refused`, () => expect(cronMistake(cron)).toMatch(says));
  for (const cron of [
    "* * * * *",
    "0 9 * * MON-FRI",
    "*/10 * * * * *",
    "0 0 L * *",
    "0 0 * MAR,THU 1#2".replace("MAR,THU", "MAR"),
    "0 0 29 2 *",
  ])
    test(`"${cron}" is taken`, () => expect(cronMistake(cron)).toBeUndefined());
});

test.each([
  ["UTC", true],
  ["Europe/Berlin", true],
  ["America/Argentina/Buenos_Aires", true],
  ["Europe/Atlantis", false],
  ["+02:00", false],
  ["", false],
])("time zone %p: %p", (name, known) => expect(isTimezone(name)).toBe(known));

describe("interval", () => {
  const anchorAt = new Date("2026-01-01T00:00:00.250Z");
  test("counted from its anchor, so that being late moves nothing", () =>
    expect(ticks({ everyMs: 1_500, anchorAt }, "2026-01-01T00:00:03.999Z", 2)).toEqual([
      "2026-01-01T00:00:04.750Z",
      "2026-01-01T00:00:06.250Z",
    ]));
  test("first after one interval", () =>
    expect(ticks({ everyMs: 60_000, anchorAt }, "2025-12-31T00:00:00Z", 1)).toEqual(["2026-01-01T00:01:00.250Z"]));
  test("with a start: first at the start", () =>
    expect(ticks({ everyMs: 60_000, anchorAt, startsAt: anchorAt }, "2025-12-31T00:00:00Z", 2)).toEqual([
      "2026-01-01T00:00:00.250Z",
      "2026-01-01T00:01:00.250Z",
    ]));
});

describe("the newest", () => {
  const range = { from: new Date("2025-01-01T00:00:00Z"), until: new Date("2026-01-01T03:00:00Z") };
  const newest = (given: Partial<Timing>, max: number) =>
    createTimetable(timing(given))
      .newest(max, range)
      .map((tick) => tick.toISOString().slice(0, 19));

  test("of many, without counting all of them", () => {
    const startedAt = performance.now();
    expect(newest({ cron: "* * * * * *" }, 100)).toHaveLength(100);
    expect(newest({ cron: "* * * * * *" }, 2)).toEqual(["2026-01-01T02:59:59", "2026-01-01T03:00:00"]);
    expect(newest({ everyMs: 1_000 }, 2)).toEqual(["2026-01-01T02:59:59", "2026-01-01T03:00:00"]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
  test("of few", () => expect(newest({ cron: "0 0 1 6 *" }, 100)).toEqual(["2025-06-01T00:00:00"]));
  test("of none", () => expect(newest({ cron: "0 0 29 2 *" }, 100)).toEqual([]));
  test("both ends are included", () => {
    const both = { from: new Date("2026-01-01T00:00:00Z"), until: new Date("2026-01-01T01:00:00Z") };
    expect(createTimetable(timing({ cron: "0 * * * *" })).newest(100, both)).toEqual([both.from, both.until]);
    expect(createTimetable(timing({ everyMs: 3_600_000 })).newest(100, both)).toEqual([both.from, both.until]);
  });
});

test.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"])(
  "%s: through the year every tick shows the time it should on the wall",
  (timezone) => {
    const onTheWall = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" });
    const timetable = createTimetable(timing({ cron: "40 5 * * *", timezone }));
    const from = new Date("2018-01-01T12:00:00Z");
    const year: Date[] = [];
    for (let at = timetable.next(from); year.length < 365 && at; at = timetable.next(at)) year.push(at);
    expect(new Set(year.map((at) => onTheWall.format(at)))).toEqual(new Set(["05:40"]));
    expect((year.at(-1)?.getTime() ?? 0) - from.getTime()).toBeLessThanOrEqual(365 * 86_400_000);
  },
);
