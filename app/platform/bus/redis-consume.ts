import type { Redis } from "ioredis";
import { readerBlockMsMax } from "../redis.ts";
import { beginning } from "./cursor.ts";
import { deliver, keepRunning, type Session } from "./keep-running.ts";
import type { Bus, ConsumeOptions, Running } from "./port.ts";
import { withReader } from "./redis-reader.ts";
import { isReplyError, leaveScript, runScript } from "./redis-scripts.ts";
import { asEntries, decodeEntries, type Entry, entriesOfRead, type RedisBusContext } from "./redis-stream.ts";

/** A member of a Redis consumer group under a name of its own; entries of members that died are claimed by idle time. */
export function consumeRedis(context: RedisBusContext, options: ConsumeOptions, handle: Parameters<Bus["consume"]>[1]): Running {
  const { redis, keys, log } = context;
  const { group, batchSize, claimAfterMs } = options;
  const consumer = crypto.randomUUID();
  const name = `event bus group ${group}`;
  let begin = options.from === "start" ? beginning : "$";
  let handledUnacknowledged: readonly string[] = [];

  return keepRunning({ name, log, finish: leave }, (session) => withReader(context, session, (reader) => work(reader, session)));

  async function work(reader: Redis, session: Session): Promise<void> {
    await ensureGroup();
    await acknowledge(handledUnacknowledged);
    session.begun();
    // What was read before the connection broke is still ours.
    await untilEmpty(session, async () => entriesOfRead(await readGroup(reader, beginning)));
    let claimAt = 0;
    while (!session.signal.aborted) {
      if (performance.now() >= claimAt) {
        await untilEmpty(session, claimAbandoned);
        claimAt = performance.now() + claimAfterMs / 2;
      }
      const blockMs = Math.max(1, Math.min(readerBlockMsMax, Math.ceil(claimAt - performance.now())));
      await process(entriesOfRead(await readGroup(reader, ">", blockMs)), session);
    }
  }

  async function untilEmpty(session: Session, next: () => Promise<readonly Entry[]>): Promise<void> {
    while (!session.signal.aborted) {
      const entries = await next();
      if (entries.length === 0) return;
      await process(entries, session);
    }
  }

  function readGroup(reader: Redis, after: string, blockMs?: number): Promise<unknown> {
    if (blockMs === undefined) return reader.xreadgroup("GROUP", group, consumer, "COUNT", batchSize, "STREAMS", keys.stream, after);
    return reader.xreadgroup("GROUP", group, consumer, "COUNT", batchSize, "BLOCK", blockMs, "STREAMS", keys.stream, after);
  }

  /** Redis looks through ten times `batchSize` of pending entries at a time, so an empty answer can have more behind it. */
  async function claimAbandoned(): Promise<readonly Entry[]> {
    let cursor = beginning;
    do {
      const reply: unknown = await redis.xautoclaim(keys.stream, group, consumer, claimAfterMs, cursor, "COUNT", batchSize);
      const [next, claimed] = Array.isArray(reply) ? reply : [];
      const entries = asEntries(claimed).filter((entry) => entry !== null);
      if (entries.length > 0) return entries;
      cursor = String(next ?? beginning);
    } while (cursor !== beginning);
    return [];
  }

  async function process(entries: readonly Entry[], session: Session): Promise<void> {
    if (entries.length === 0) return;
    const ids = entries.map(([id]) => id);
    const events = decodeEntries(entries);
    if (events.length > 0) {
      const heartbeat = setInterval(() => void holdOn(ids), claimAfterMs / 3);
      const accepted = await deliver(events, handle, { signal: session.signal, name, log }).finally(() => clearInterval(heartbeat));
      if (!accepted) return;
    }
    await acknowledge(ids);
  }

  /** A batch that takes long is not abandoned: claiming it anew sets its idle time back to zero. */
  async function holdOn(ids: readonly string[]): Promise<void> {
    await redis.xclaim(keys.stream, group, consumer, 0, ...ids, "JUSTID").catch(() => undefined);
  }

  async function acknowledge(ids: readonly string[]): Promise<void> {
    handledUnacknowledged = ids;
    if (ids.length > 0) await redis.xack(keys.stream, group, ...ids);
    handledUnacknowledged = [];
  }

  async function ensureGroup(): Promise<void> {
    try {
      await redis.xgroup("CREATE", keys.stream, group, begin, "MKSTREAM");
    } catch (error) {
      if (!isReplyError(error) || !error.message.startsWith("BUSYGROUP")) throw error;
    }
    // If the group has to be made again, the stream was flushed: then nothing in it has been seen.
    begin = beginning;
  }

  async function leave(): Promise<void> {
    await runScript(redis, leaveScript, { keys: [keys.stream], args: [group, consumer, String(claimAfterMs)] });
  }
}
