import { CronExpressionParser } from "cron-parser";

/** What says when a schedule ticks. Exactly one of `cron` and `everyMs` is set. */
export interface Timing {
  readonly cron: string | null;
  readonly everyMs: number | null;
  readonly timezone: string;
  readonly startsAt: Date | null;
  readonly endsAt: Date | null;
  /** From where the ticks of an interval are counted. */
  readonly anchorAt: Date;
}

export interface Timetable {
  /** The first tick after that moment; undefined when there is none. */
  next(after: Date): Date | undefined;
  /** The newest ticks, `max` at most, from `from` until `until`, both included; in their order. */
  newest(max: number, range: { readonly from: Date; readonly until: Date }): Date[];
}

type Step = (time: number) => number | undefined;

const dayMs = 86_400_000;
/** No zone has moved its clock further than this in one go, but for changes of date. */
const gapMsMax = 3 * 3_600_000;

/** Undefined when that is a cron expression of ours; otherwise what is wrong with it, for a person. */
export function cronMistake(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/);
  if (cron.trim() === "") return "is empty: expected 5 fields (minute hour day month weekday), or 6 with seconds first";
  if (fields.length < 5 || fields.length > 6)
    return `has ${fields.length} field${fields.length === 1 ? "" : "s"}: expected 5 (minute hour day month weekday), or 6 with seconds first`;
  if (/(^|[\s,(])H/i.test(cron)) return "has an H (any value), which would be another one at each look: say which value";
  try {
    CronExpressionParser.parse(cron, { tz: "UTC" }).next();
    return undefined;
  } catch (error) {
    return `is not a cron expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whether the runtime knows that IANA time zone; offsets such as `+02:00` are none. */
export function isTimezone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

export function createTimetable(timing: Timing): Timetable {
  const { next, back } = timing.everyMs === null ? byCron(timing.cron ?? "", timing.timezone) : byInterval(timing.everyMs, timing);
  const startsAt = timing.startsAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const endsAt = timing.endsAt?.getTime() ?? Number.POSITIVE_INFINITY;

  const nextWithin = (after: number): number | undefined => {
    const time = next(Math.max(after, startsAt - 1));
    return time === undefined || time > endsAt ? undefined : time;
  };

  return {
    next: (after) => asDate(nextWithin(after.getTime())),
    newest: (max, { from, until }) => {
      let start = until.getTime() + 1;
      for (let count = 0; count < max && start > from.getTime(); count += 1) start = back(start) ?? Number.NEGATIVE_INFINITY;
      const ticks: Date[] = [];
      let time = nextWithin(Math.max(start, from.getTime()) - 1);
      for (; time !== undefined && time <= until.getTime(); time = nextWithin(time)) ticks.push(new Date(time));
      return ticks.slice(-max);
    },
  };
}

/** `back` may leave ticks out, so that it goes too far: whoever uses it goes forward again from there. */
function byInterval(everyMs: number, { anchorAt, startsAt }: Pick<Timing, "anchorAt" | "startsAt">): { next: Step; back: Step } {
  const anchor = anchorAt.getTime();
  const first = startsAt?.getTime() === anchor ? 0 : 1;
  const tick = (index: number) => (index < first ? undefined : anchor + index * everyMs);
  return {
    next: (time) => tick(Math.max(first, Math.floor((time - anchor) / everyMs) + 1)),
    back: (time) => tick(Math.ceil((time - anchor) / everyMs) - 1),
  };
}

/**
 * The rule of Vixie's cron. A schedule with fixed hours follows the clock on the wall: what falls into an hour that is left out comes as much later as the
 * clock was moved, what falls into a repeated hour comes at its first time alone. One that runs every hour follows the time that passes, and so
 * runs in both. cron-parser does that, except that it drops ticks when a gap is not a whole hour, begins at midnight, or holds several of them.
 */
function byCron(cron: string, timezone: string): { next: Step; back: Step } {
  const zone = zoneOf(timezone);
  const parse = (time: number, tz: string) => CronExpressionParser.parse(cron, { tz, currentDate: new Date(time) });
  const isHourly = parse(0, "UTC").fields.hour.values.length === 24;
  const attempt = (step: () => { getTime(): number }) => {
    try {
      return step().getTime();
    } catch {
      return undefined; // no such time in the years it looks ahead
    }
  };

  /** The offset at that time, if nobody has moved the clocks shortly before. */
  const steadyOffset = (time: number): number | undefined => {
    const offset = zone.offsetMs(time);
    return zone.offsetMs(time - gapMsMax) === offset ? offset : undefined;
  };

  /** The step as a clock in UTC would take it, ten times as fast; undefined when the clocks there were moved near one end. */
  const plain = (time: number, step: "next" | "prev"): number | undefined => {
    const offset = steadyOffset(time);
    if (offset === undefined) return undefined;
    const wall = attempt(() => parse(time + offset, "UTC")[step]());
    return wall !== undefined && steadyOffset(wall - offset) === offset ? wall - offset : undefined;
  };

  /** The first tick after `time` that falls into a gap; undefined when another one comes before. */
  const nextInGap: Step = (time) => {
    const offset = Math.min(zone.offsetMs(time), zone.offsetMs(time - gapMsMax));
    const wall = attempt(() => parse(time + offset, "UTC").next());
    return wall === undefined ? undefined : zone.afterGap(wall);
  };

  const wallNext = (time: number, offset: number): number | undefined => {
    const wall = attempt(() => parse(time + offset, "UTC").next());
    return wall === undefined ? undefined : wall - offset;
  };

  /** By the clock as it is now, or if that is moved before: by the clock as it is then. */
  const nextHourly: Step = (time) => {
    const found = wallNext(time, zone.offsetMs(time));
    const moved = zone.changeAfter(time);
    return moved === undefined || (found !== undefined && found < moved) ? found : wallNext(moved - 1, zone.offsetMs(moved));
  };

  const careful: Step = (time) => {
    if (isHourly && zone.changeAfter(time) !== undefined) return nextHourly(time);
    const regular = attempt(() => parse(time, timezone).next());
    const moved = isHourly ? undefined : nextInGap(time);
    return moved !== undefined && moved > time && (regular === undefined || moved < regular) ? moved : regular;
  };

  return {
    next: (time) => plain(time, "next") ?? careful(time),
    back: (time) => plain(time, "prev") ?? attempt(() => parse(time, timezone).prev()),
  };
}

interface Zone {
  /** How far the clocks there are ahead of UTC. */
  offsetMs(time: number): number;
  /** When it is that time by a clock that nobody has moved yet; undefined for a time that the clocks there do show. */
  afterGap(wall: number): number | undefined;
  /** When the clocks are moved next, if that is soon. */
  changeAfter(time: number): number | undefined;
}

/** Making one costs more than using it, and most schedules share a few. */
const zones = new Map<string, Zone>();
const zonesMax = 600;
const offsetsMax = 10_000;
/** Clocks are moved at whole quarters of an hour. */
const quarterMs = 900_000;

function zoneOf(timezone: string): Zone {
  const known = zones.get(timezone);
  if (known) return known;
  if (zones.size >= zonesMax) zones.clear();
  const zone = createZone(timezone);
  zones.set(timezone, zone);
  return zone;
}

function createZone(timezone: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsets = new Map<number, number>();
  const lookUp = (time: number): number => {
    const part = new Map(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const at = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
    const wall = Date.UTC(at("year"), at("month") - 1, at("day"), at("hour"), at("minute"), at("second"));
    return wall - Math.floor(time / 1_000) * 1_000;
  };
  const offsetMs = (time: number): number => {
    const quarter = Math.floor(time / quarterMs);
    const known = offsets.get(quarter);
    if (known !== undefined) return known;
    if (offsets.size >= offsetsMax) offsets.clear();
    const offset = lookUp(quarter * quarterMs);
    offsets.set(quarter, offset);
    return offset;
  };
  return {
    offsetMs,
    changeAfter: (time) => {
      const offset = offsetMs(time);
      let quarter = Math.floor(time / quarterMs) * quarterMs;
      do quarter += quarterMs;
      while (quarter <= time + gapMsMax && offsetMs(quarter) === offset);
      return quarter <= time + gapMsMax ? quarter : undefined;
    },
    afterGap: (wall: number): number | undefined => {
      const [before, after] = [offsetMs(wall - dayMs), offsetMs(wall + dayMs)];
      const exists = [before, after].some((offset) => offsetMs(wall - offset) === offset);
      return exists ? undefined : wall - before;
    },
  };
}

function asDate(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
