/** A position in the log. Opaque to callers, who check one from outside with `isCursor` and order two with `compareCursors` (`cursor.ts`). */
export type Cursor = string;

/** What happened, to whom, and who may see it. */
export interface BusEvent {
  /** `evt_…`, or what the publisher calls it. */
  readonly id: string;
  /** What repeats are told by, when that is not `id`: two publishers may give the same id to different things. */
  readonly uniqueId?: string;
  /** `noun.past`, dot separated segments. */
  readonly type: string;
  /** Of the type's schema; absent means 1. */
  readonly version?: number;
  /** RFC 3339 UTC. */
  readonly time: string;
  /** A URI reference; absent means the service that owns the type. */
  readonly source?: string;
  /** The id of the thing that changed, such as a task. */
  readonly subject?: string;
  /** Events of one key stay in order, also where many are handled at once; absent means the subject. */
  readonly key?: string;
  /** The user who may see it, or `everybody`; without it and `tenant`, administrators only. */
  readonly audience?: string;
  /** The team whose members may see it. */
  readonly tenant?: string;
  /** The user on whose authority it happened. */
  readonly actor?: string;
  /** Correlates the event with the request that caused it. */
  readonly requestId?: string;
  /** W3C Trace Context of what caused it. */
  readonly traceparent?: string;
  /** Further CloudEvents attributes of the publisher's own. */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>;
  readonly data: unknown;
}

export interface StoredEvent extends Omit<BusEvent, "uniqueId"> {
  readonly cursor: Cursor;
  /** When the store took it, by the store's clock; milliseconds since 1970. */
  readonly storedAt: number;
}

export interface ReadResult {
  readonly events: readonly StoredEvent[];
  /** Pass as `after` to go on. */
  readonly next: Cursor;
  /** True when events after the asked cursor were already removed by retention: the reader has a gap. */
  readonly trimmed: boolean;
}

/** Something that runs until it is stopped; stopping twice is harmless. */
export interface Running {
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/**
 * An append-only, ordered, at-least-once log of events.
 *
 * Order: every reader sees one and the same order, so events about one subject published one after the other stay in order.
 * Losing the connection never loses an event: `tail` reconnects by itself and goes on from its cursor.
 */
export interface Bus {
  /**
   * Resolves when the store has them, with one cursor per event, in order. Rejects when the store can't be reached. With `dedupe`, and always for an
   * event with a `uniqueId`, one that was stored in the last ten minutes is not stored again.
   */
  publish(events: readonly BusEvent[], options?: { readonly dedupe?: boolean }): Promise<readonly Cursor[]>;
  /** The cursor of the newest event (reading after it yields only what comes later). */
  head(): Promise<Cursor>;
  /** The cursor before the oldest event still kept. */
  origin(): Promise<Cursor>;
  /** The cursor before the first event that was stored at `time` or later. */
  before(time: Date): Promise<Cursor>;
  read(range: { readonly after: Cursor; readonly limit: number }): Promise<ReadResult>;
  /** The other way: the newest first, of those before `before`; without it from the head. */
  readBack(range: { readonly before?: Cursor; readonly limit: number }): Promise<readonly StoredEvent[]>;
  /** Calls `deliver` with each batch after `from`, for ever, in order; waits for it before the next. */
  tail(from: Cursor, deliver: (events: readonly StoredEvent[]) => void | Promise<void>): Running;
  /** How many events are kept. */
  length(): Promise<number>;
  /** Removes single events, wherever they are; readers are not told of a gap. Returns how many went. */
  remove(cursors: readonly Cursor[]): Promise<number>;
  /** Removes the oldest events beyond these bounds; returns how many went. */
  trim(bounds: { readonly lengthMax?: number; readonly ageMaxMs?: number }): Promise<number>;
  /** Throws when the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** True when `value` has the shape of a cursor; anything a client sends goes through this first. */
export type IsCursor = (value: string) => boolean;
