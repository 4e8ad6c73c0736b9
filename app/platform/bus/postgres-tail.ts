import { compareCursors } from "./cursor.ts";
import { deliver, keepRunning } from "./keep-running.ts";
import type { Bus, Cursor, Running } from "./port.ts";
import { type PostgresBusContext, readHead, readRange } from "./postgres-log.ts";

const batchMax = 500;
const name = "event bus tail";

export function tailPostgres({ sql, wake, log }: PostgresBusContext, from: Cursor, handle: Parameters<Bus["tail"]>[1]): Running {
  let position = from;

  return keepRunning({ name, log }, async ({ signal, begun }) => {
    const head = await readHead(sql);
    if (compareCursors(position, head) > 0) {
      log?.warn({ position, head }, "the event log ends before the tail's position: a failover or a restore lost events");
      position = head;
    }
    begun();
    while (!signal.aborted) {
      const version = wake.version();
      const { events, next } = await readRange(sql, { after: position, limit: batchMax });
      if (events.length > 0 && !(await deliver(events, handle, { signal, name, log }))) return;
      position = next;
      if (events.length === 0) await wake.after(version, signal);
    }
  });
}
