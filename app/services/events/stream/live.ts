import { compareCursors } from "../../../platform/bus/cursor.ts";
import type { Pattern } from "../../../platform/bus/pattern.ts";
import type { BusEvent, Cursor } from "../../../platform/bus/port.ts";
import { createJoined, createPaced } from "./fan-out.ts";

/** An event on its way to the clients of this copy. */
export interface LiveEvent extends Pick<BusEvent, "type" | "audience" | "tenant"> {
  readonly cursor: Cursor;
  /** The event as CloudEvents JSON. */
  readonly json: string;
}

export interface Kept extends Omit<LiveEvent, "json"> {
  /** Its number on this copy. */
  readonly seq: number;
  /** The message as it goes to each client that may see it. */
  readonly frame: Uint8Array<ArrayBuffer>;
}

/** Asks for the events of exactly these patterns from now on; resolves with the position after which all of them are forwarded. */
export type Follow = (patterns: readonly Pattern[]) => Promise<Cursor>;

/** Where a stream takes events without being asked to come for them. */
export interface Sink {
  /** False when there is no room; then nothing was taken. */
  write(bytes: Uint8Array<ArrayBuffer>): boolean;
}

export interface Attachment {
  readonly sink: Sink;
  readonly position: Cursor;
  readonly accepts: (event: Kept) => boolean;
  /** Called with how far the stream has come whenever that has changed. */
  readonly moved: (position: Cursor) => void;
}

/** A stream that is written to as events come. */
export interface Attached {
  readonly to: Attachment;
  /** The last event that it has, or did not want. */
  seq: number;
  position: Cursor;
  detach(): void;
}

export interface LiveEvents {
  /** What the bus thread has forwarded, and how far it has read. */
  take(events: readonly LiveEvent[], through: Cursor): void;
  /** The bus thread is there, perhaps again: what it was told it must be told anew. */
  renew(): void;
  join(patterns: readonly Pattern[]): Membership;
}

/** One stream's part in what is kept here. */
export interface Membership {
  /** Everything of the patterns after this position is, or will be, kept here; what comes before is in the log. Undefined while that is not known yet. */
  completeAfter(): Cursor | undefined;
  /** How far the log has been read. */
  through(): Cursor | undefined;
  /** The same while the stream is attached and has all of it; undefined otherwise. */
  settled(): Cursor | undefined;
  /** Of all patterns together, the caller picks: those after `position`, in order. */
  after(position: Cursor): readonly Kept[];
  /** Resolves when there is more, or after `wake`. */
  news(): Promise<void>;
  /**
   * For a stream that has everything up to `position`, which must not lie behind `through`: from now on what it accepts is written to the sink as it comes. Resolves with how far that went, when the
   * sink has no room, when the log has to be read again, or after `wake`.
   */
  attach(to: Attachment): Promise<Cursor>;
  wake(): void;
  leave(): void;
}

interface Wanted {
  streams: number;
  /** Everything after this is forwarded; undefined until the bus thread has said so. */
  since: Cursor | undefined;
}

const retryMs = 500;
const keptMax = 10_000;
const keptBytesMax = 16 * 1_048_576;
const encoder = new TextEncoder();

/**
 * The latest events that clients of this copy follow, each encoded once for all of them. Every stream has its own position in here, so one that is slow costs
 * nothing: it falls behind what is kept and reads on from the log.
 */
export function createLiveEvents(follow: Follow): LiveEvents {
  const wanted = new Map<Pattern, Wanted>();
  const members = new Set<() => void>();
  const attached = new Set<Attached>();
  let kept: Kept[] = [];
  let keptBytes = 0;
  let lastSeq = 0;
  let flushedSeq = 0;
  let dropped: Cursor | undefined;
  let through: Cursor | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const wakeAll = () => {
    for (const wake of members) wake();
  };

  const ask = () => {
    const unanswered = [...wanted.values()].filter(({ since }) => since === undefined);
    follow([...wanted.keys()]).then(
      (since) => {
        // A pattern that was left and joined again meanwhile is another entry, with a question of its own.
        for (const entry of unanswered) entry.since ??= since;
        if (through === undefined || compareCursors(through, since) < 0) through = since;
        wakeAll();
      },
      // The bus thread is being started again, or is busy.
      () => {
        retry ??= setTimeout(() => {
          retry = undefined;
          if ([...wanted.values()].some(({ since }) => since === undefined)) ask();
        }, retryMs).unref();
      },
    );
  };

  const forget = () => {
    kept = [];
    keptBytes = 0;
  };

  const flush = () => {
    const pending = kept.slice(kept.findLastIndex(({ seq }) => seq <= flushedSeq) + 1);
    flushedSeq = lastSeq;
    const last = pending.at(-1);
    if (!last || through === undefined) return;
    const all = createJoined(pending);
    for (const stream of attached) {
      const bytes = all.forStream(stream);
      if (bytes && !stream.to.sink.write(bytes)) stream.detach();
      else {
        stream.seq = last.seq;
        stream.position = last.cursor;
        stream.to.moved(last.cursor);
      }
    }
  };

  const flushSoon = createPaced(flush);

  const trim = () => {
    let count = 0;
    let bytes = keptBytes;
    while (kept.length - count > keptMax || bytes > keptBytesMax) {
      const first = kept[count];
      if (!first) break;
      bytes -= first.frame.byteLength;
      dropped = first.cursor;
      count += 1;
    }
    if (count > 0) kept = kept.slice(count);
    keptBytes = bytes;
  };

  return {
    take: (events, readThrough) => {
      for (const { json, ...event } of events) {
        const frame = encoder.encode(`id: ${event.cursor}\nevent: message\ndata: ${json}\n\n`);
        lastSeq += 1;
        kept.push({ ...event, seq: lastSeq, frame });
        keptBytes += frame.byteLength;
      }
      trim();
      through = readThrough;
      if (events.length === 0) return;
      wakeAll();
      if (attached.size > 0) flushSoon();
    },

    renew: () => {
      clearTimeout(retry);
      retry = undefined;
      forget();
      through = undefined;
      for (const entry of wanted.values()) entry.since = undefined;
      for (const stream of attached) stream.detach();
      ask();
    },

    join: (patterns) => {
      let woken = false;
      let waiting: (() => void) | undefined;
      let own: Attached | undefined;
      const wakeUp = () => {
        if (own) return;
        woken = waiting === undefined;
        waiting?.();
        waiting = undefined;
      };
      members.add(wakeUp);
      const unknown = patterns.filter((pattern) => !wanted.has(pattern));
      for (const pattern of patterns) {
        const entry = wanted.get(pattern);
        if (entry) entry.streams += 1;
        else wanted.set(pattern, { streams: 1, since: undefined });
      }
      if (unknown.length > 0) ask();

      return {
        completeAfter: () => {
          const positions = patterns.map((pattern) => wanted.get(pattern)?.since);
          if (dropped !== undefined) positions.push(dropped);
          return latestOf(positions);
        },
        through: () => through,
        settled: () => (own && flushedSeq === lastSeq ? through : undefined),
        after: (position) => kept.slice(firstAfter(kept, position)),
        wake: () => {
          wakeUp();
          own?.detach();
        },
        attach: (to) =>
          new Promise((resolve) => {
            const stream: Attached = {
              to,
              seq: lastSeq,
              position: to.position,
              detach: () => {
                attached.delete(stream);
                own = undefined;
                resolve(stream.position);
              },
            };
            own = stream;
            attached.add(stream);
            // It was woken, or more came, before it could be told.
            if (woken) stream.detach();
            woken = false;
          }),
        news: () =>
          new Promise((resolve) => {
            if (woken) resolve();
            else waiting = resolve;
            woken = false;
          }),
        leave: () => {
          members.delete(wakeUp);
          own?.detach();
          for (const pattern of patterns) {
            const entry = wanted.get(pattern);
            if (entry) entry.streams -= 1;
            if (entry?.streams === 0) wanted.delete(pattern);
          }
          if (wanted.size === 0) forget();
          if (patterns.some((pattern) => !wanted.has(pattern))) ask();
        },
      };
    },
  };
}

/** Undefined when one of them is. */
function latestOf(positions: readonly (Cursor | undefined)[]): Cursor | undefined {
  let latest = positions[0];
  for (const position of positions) {
    if (position === undefined || latest === undefined) return undefined;
    if (compareCursors(latest, position) < 0) latest = position;
  }
  return latest;
}

/** The index of the first one behind the position; they are in order. */
function firstAfter(kept: readonly Kept[], position: Cursor): number {
  let [low, high] = [0, kept.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = kept[middle];
    if (at && compareCursors(at.cursor, position) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
