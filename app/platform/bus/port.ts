/** A position in the log. Opaque to callers, who check one from outside with `isCursor` and order two with `compareCursors` (`cursor.ts`). */
export type Cursor = string;

/** What happened, to whom, and who may see it. */
export interface BusEvent {
  /** `evt_…`; publishing the same id twice with `dedupe` stores it once. */
  readonly id: string;
  /** `noun.past`, dot separated segments. */
  readonly type: string;
  /** RFC 3339 UTC. */
  readonly time: string;
  /** The id of the thing that changed, such as a task. */
  readonly subject?: string;
  /** The user who may see it; absent means administrators only. */
  readonly audience?: string;
  /** Correlates the event with the request that caused it. */
  readonly requestId?: string;
  readonly data: unknown;
}

export interface StoredEvent extends BusEvent {
  readonly cursor: Cursor;
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

export interface ConsumeOptions {
  /** Durable name; copies that share it share the work. */
  readonly group: string;
  /** Where a group that does not exist yet begins. */
  readonly from: "start" | "end";
  readonly batchSize: number;
  /** Deliveries left unacknowledged this long (a dead copy) are taken over by another. */
  readonly claimAfterMs: number;
}

/**
 * An append-only, ordered, at-least-once log of events.
 *
 * Order: every reader sees one and the same order, so events about one subject published one after the other stay in order.
 * Losing the connection never loses an event: `tail` and `consume` reconnect by themselves and go on from their cursor.
 */
export interface Bus {
  /** Resolves when the store has them, with one cursor per event, in order. Rejects when the store can't be reached. */
  publish(events: readonly BusEvent[], options?: { readonly dedupe?: boolean }): Promise<readonly Cursor[]>;
  /** The cursor of the newest event (reading after it yields only what comes later). */
  head(): Promise<Cursor>;
  /** The cursor before the oldest event still kept. */
  origin(): Promise<Cursor>;
  read(range: { readonly after: Cursor; readonly limit: number }): Promise<ReadResult>;
  /** Calls `deliver` with each batch after `from`, for ever, in order; waits for it before the next. */
  tail(from: Cursor, deliver: (events: readonly StoredEvent[]) => void | Promise<void>): Running;
  /** A durable group: a batch is acknowledged when `handle` resolves and delivered again when it rejects. */
  consume(options: ConsumeOptions, handle: (events: readonly StoredEvent[]) => Promise<void>): Running;
  /** Removes the oldest events beyond these bounds; returns how many went. */
  trim(bounds: { readonly lengthMax?: number; readonly ageMaxMs?: number }): Promise<number>;
  /** Throws when the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** True when `value` has the shape of a cursor; anything a client sends goes through this first. */
export type IsCursor = (value: string) => boolean;
