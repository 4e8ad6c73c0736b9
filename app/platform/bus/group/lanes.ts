import type { Matches } from "../pattern.ts";
import type { Cursor, StoredEvent } from "../port.ts";
import type { GroupContract } from "./contract.ts";

export interface LanesOptions extends Pick<GroupContract, "concurrency" | "batch"> {
  readonly matches: Matches;
  readonly signal: AbortSignal;
  /** Resolves with true when the batch is dealt with, one way or the other; false when the group was stopped before that. */
  readonly work: (events: readonly StoredEvent[]) => Promise<boolean>;
  /** Something is dealt with. */
  readonly onProgress: () => void;
}

export interface Lanes {
  /** Resolves when there is room for more, or when the signal aborts. */
  add(events: readonly StoredEvent[]): Promise<void>;
  /** Everything up to here is dealt with; undefined before the first. */
  through(): Cursor | undefined;
  /** Resolves when no batch is being worked on. */
  idle(): Promise<void>;
}

interface Entry {
  readonly cursor: Cursor;
  done: boolean;
}

interface Waiting {
  readonly event: StoredEvent;
  readonly entry: Entry;
}

interface Lane {
  waiting: Waiting[];
  running: Promise<void> | undefined;
  /** Ends the wait for more company. */
  full: (() => void) | undefined;
}

/** So many events are in hand at once, those that wait for their turn included. */
const inHandMax = 2_000;

/**
 * Works events in `concurrency` lanes: those of one key share a lane and keep their order, and a slow one delays only its lane. What is dealt with counts once
 * everything before it is, so that nothing is passed over when the work is taken up elsewhere.
 */
export function createLanes({ concurrency, batch, matches, signal, work, onProgress }: LanesOptions): Lanes {
  const lanes: readonly Lane[] = Array.from({ length: concurrency }, () => ({ waiting: [], running: undefined, full: undefined }));
  let entries: Entry[] = [];
  let through: Cursor | undefined;
  let hasRoom = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => hasRoom.resolve(), { once: true });

  const advance = () => {
    let done = 0;
    while (entries[done]?.done) done += 1;
    if (done === 0) return;
    through = entries[done - 1]?.cursor;
    entries = entries.slice(done);
    if (entries.length < inHandMax) hasRoom.resolve();
    onProgress();
  };

  const company = async (lane: Lane): Promise<void> => {
    if (batch.waitMs === 0 || lane.waiting.length >= batch.size) return;
    const enough = Promise.withResolvers<void>();
    lane.full = enough.resolve;
    const timer = setTimeout(enough.resolve, batch.waitMs);
    await enough.promise;
    clearTimeout(timer);
    lane.full = undefined;
  };

  const drain = async (lane: Lane): Promise<void> => {
    while (lane.waiting.length > 0 && !signal.aborted) {
      await company(lane);
      const taken = lane.waiting.slice(0, batch.size);
      lane.waiting = lane.waiting.slice(batch.size);
      if (!(await work(taken.map(({ event }) => event)))) break;
      for (const { entry } of taken) entry.done = true;
      advance();
    }
    lane.running = undefined;
  };

  const push = (lane: Lane, waiting: Waiting) => {
    lane.waiting.push(waiting);
    if (lane.waiting.length >= batch.size) lane.full?.();
    lane.running ??= drain(lane);
  };

  return {
    add: async (events) => {
      for (const event of events) {
        const lane = matches(event.type) ? lanes[laneOf(event, concurrency)] : undefined;
        const entry = { cursor: event.cursor, done: lane === undefined };
        entries.push(entry);
        if (lane) push(lane, { event, entry });
      }
      advance();
      if (entries.length < inHandMax || signal.aborted) return;
      hasRoom = Promise.withResolvers<void>();
      await hasRoom.promise;
    },
    through: () => through,
    idle: async () => {
      for (const { running } of lanes) await running;
    },
  };
}

/** Events without a key of their own keep the order of their subject. */
function laneOf({ key, subject, id }: StoredEvent, concurrency: number): number {
  if (concurrency === 1) return 0;
  return Number(BigInt(Bun.hash(key ?? subject ?? id)) % BigInt(concurrency));
}
