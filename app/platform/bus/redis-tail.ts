import { readerBlockMsMax } from "../redis.ts";
import { assertCursor, compareCursors } from "./cursor.ts";
import { deliver, keepRunning } from "./keep-running.ts";
import type { Bus, Cursor, Running } from "./port.ts";
import { withReader } from "./redis-reader.ts";
import { decodeEntries, entriesOfRead, type RedisBusContext, readHead } from "./redis-stream.ts";

const batchMax = 500;
const name = "event bus tail";

export function tailRedis(context: RedisBusContext, from: Cursor, handle: Parameters<Bus["tail"]>[1]): Running {
  assertCursor(from);
  const { keys, log } = context;
  let position = from;

  return keepRunning({ name, log }, (session) =>
    withReader(context, session, async (reader) => {
      const head = await readHead(reader, keys);
      if (compareCursors(position, head) > 0) {
        log?.warn({ position, head }, "the event log ends before the tail's position: a failover or a flush lost events");
        position = head;
      }
      session.begun();
      while (!session.signal.aborted) {
        const reply = await reader.xread("COUNT", batchMax, "BLOCK", readerBlockMsMax, "STREAMS", keys.stream, position);
        const entries = entriesOfRead(reply);
        const events = decodeEntries(entries);
        if (events.length > 0 && !(await deliver(events, handle, { signal: session.signal, name, log }))) return;
        position = entries.at(-1)?.[0] ?? position;
      }
    }),
  );
}
