import type { Sql } from "postgres";
import { createBatcher } from "../batcher.ts";
import { withDeadline } from "../deadline.ts";
import type { Logger } from "../logger.ts";
import { assertCursor } from "./cursor.ts";
import { keepLoops } from "./loops.ts";
import type { Bus, BusEvent, Cursor } from "./port.ts";
import { type Append, append, toAppend } from "./postgres-append.ts";
import {
  countEvents,
  cursorBefore,
  type PostgresBusContext,
  queryMsMax,
  readBackRange,
  readHead,
  readOrigin,
  readRange,
} from "./postgres-log.ts";
import { tailPostgres } from "./postgres-tail.ts";
import { removeEvents, trim } from "./postgres-trim.ts";
import { createWake } from "./postgres-wake.ts";

export interface PostgresBusOptions {
  /** Stays the caller's: `close` leaves it open. Readers add one connection for notifications. */
  readonly sql: Sql;
  readonly log?: Logger;
}

/** The bus on the table `bus_events`; a cursor is its `seq`. An id is stored once as long as it is kept, with `dedupe` or without. */
export function createPostgresBus({ sql, log }: PostgresBusOptions): Bus {
  const context: PostgresBusContext = { sql, wake: createWake(sql, log), log };
  const loops = keepLoops();
  const batcher = createBatcher<Append, Cursor | Error>({ run: (batch) => append(sql, batch) });

  return {
    publish: (events) => Promise.all(events.map(publishOne)),
    head: () => readHead(sql),
    origin: () => readOrigin(sql),
    before: (time) => cursorBefore(sql, time),
    readBack: async (range) => readBackRange(sql, range),
    read: async (range) => {
      assertCursor(range.after);
      return readRange(sql, range);
    },
    tail: (from, deliver) => {
      assertCursor(from);
      return loops.add(tailPostgres(context, from, deliver));
    },
    length: () => countEvents(sql),
    remove: (cursors) => removeEvents(sql, cursors),
    trim: (bounds) => trim(sql, bounds),
    ping: async () => {
      await withDeadline("PostgreSQL", queryMsMax, sql`select 1`);
    },
    close: async () => {
      await loops.stopAll();
      await batcher.idle();
      await context.wake.close();
    },
  };

  async function publishOne(event: BusEvent): Promise<Cursor> {
    const stored = await batcher.add(toAppend(event));
    if (stored instanceof Error) throw stored;
    return stored;
  }
}
