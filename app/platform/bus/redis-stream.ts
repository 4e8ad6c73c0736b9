import type { Redis } from "ioredis";
import type { Logger } from "../logger.ts";
import type { RedisTarget } from "../redis.ts";
import { assertCursor, beginning, compareCursors } from "./cursor.ts";
import { decodeEvent } from "./encode.ts";
import type { Cursor, ReadResult, StoredEvent } from "./port.ts";
import { isReplyError } from "./redis-scripts.ts";

/** A stream entry as ioredis gives it; the fields are null for an entry that was trimmed while still pending in a group. */
export type Entry = readonly [id: Cursor, fields: readonly string[] | null];

/** Everything one bus keeps in Redis. */
export interface BusKeys {
  readonly stream: string;
  /** The last entry that retention removed. */
  readonly trimmed: string;
  /** What this publisher stored last. */
  readonly publisher: string;
  /** Prefix of the ids published with `dedupe`. */
  readonly seen: string;
}

/** What the verbs of one bus share. */
export interface RedisBusContext {
  readonly target: RedisTarget;
  /** For commands that answer at once; blocking reads open their own. */
  readonly redis: Redis;
  readonly keys: BusKeys;
  readonly waitReplicas: number;
  readonly log: Logger | undefined;
}

export function busKeys(prefix: string): BusKeys {
  return {
    stream: `${prefix}bus`,
    trimmed: `${prefix}bus:trimmed`,
    publisher: `${prefix}bus:publisher:${crypto.randomUUID()}`,
    seen: `${prefix}bus:id:`,
  };
}

/** The id the stream gave last, which it still knows when every entry has been trimmed. */
export async function readHead(redis: Redis, keys: BusKeys): Promise<Cursor> {
  try {
    const info: unknown = await redis.xinfo("STREAM", keys.stream);
    const fields = Array.isArray(info) ? info : [];
    return String(fields[fields.indexOf("last-generated-id") + 1] ?? beginning);
  } catch (error) {
    if (isReplyError(error) && error.message.includes("no such key")) return beginning;
    throw error;
  }
}

export async function readRange(
  { redis, keys }: RedisBusContext,
  { after, limit }: { readonly after: Cursor; readonly limit: number },
): Promise<ReadResult> {
  assertCursor(after);
  // One transaction: a trim between the two would pass a gap off as none.
  const replies = await redis.multi().get(keys.trimmed).xrange(keys.stream, `(${after}`, "+", "COUNT", limit).exec();
  const [mark, entries] = resultsOf(replies);
  const origin = typeof mark === "string" ? mark : beginning;
  const trimmed = compareCursors(after, origin) < 0;
  const next = asEntries(entries).at(-1)?.[0] ?? (trimmed ? origin : after);
  return { events: decodeEntries(asEntries(entries)), next, trimmed };
}

export async function readBackRange(
  { redis, keys }: RedisBusContext,
  { before, limit }: { readonly before?: Cursor; readonly limit: number },
): Promise<readonly StoredEvent[]> {
  if (before !== undefined) assertCursor(before);
  return decodeEntries(asEntries(await redis.xrevrange(keys.stream, before === undefined ? "+" : `(${before}`, "-", "COUNT", limit)));
}

/** Leaves out what is no event of ours: trimmed entries and foreign writes to the stream. */
export function decodeEntries(entries: readonly Entry[]): readonly StoredEvent[] {
  return entries.flatMap(([cursor, fields]) => {
    const json = fields?.[0] === "e" ? fields[1] : undefined;
    return json === undefined ? [] : [{ ...decodeEvent(json), cursor, storedAt: Number.parseInt(cursor, 10) }];
  });
}

/** The entries of the one stream that an XREAD or XREADGROUP asked for. */
export function entriesOfRead(reply: unknown): readonly Entry[] {
  return Array.isArray(reply) && Array.isArray(reply[0]) ? asEntries(reply[0][1]) : [];
}

/** XRANGE, XREAD, XREADGROUP and XAUTOCLAIM all answer with entries in this one shape; ioredis declares it more loosely. */
function asEntries(reply: unknown): readonly Entry[] {
  return (reply ?? []) as readonly Entry[];
}

function resultsOf(replies: readonly [error: Error | null, result: unknown][] | null): readonly unknown[] {
  return (replies ?? []).map(([error, result]) => {
    if (error) throw error;
    return result;
  });
}
