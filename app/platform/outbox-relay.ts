import { asc, eq, inArray, sql } from "drizzle-orm";
import { advisoryLocks } from "../../db/advisory-locks.ts";
import type { Db, Tx } from "../../db/client.ts";
import { outbox } from "../../db/schema/platform.ts";
import type { Bus, BusEvent, Running } from "./bus/port.ts";
import type { Logger } from "./logger.ts";

export interface RelayDeps {
  readonly db: Db;
  readonly bus: Pick<Bus, "publish" | "ping">;
  readonly log: Logger;
}

export interface Relay extends Running {
  /** Something was written: look now instead of at the next poll. */
  wake(): void;
}

/** Only one relay of all copies hands on at a time; that keeps the order of events. */
const batchSize = 500;
/** Finds what a copy left behind when it died between its commit and its wake-up. */
const pollMs = 500;

type Row = typeof outbox.$inferSelect;

/** Hands committed outbox rows on to the bus, at least once, until stopped. */
export function startRelay(deps: RelayDeps): Relay {
  let stopped = false;
  let wakeUp = Promise.withResolvers<void>();

  const run = async () => {
    while (!stopped) {
      const woken = wakeUp.promise;
      const found = await drain(deps).catch((error: unknown) => {
        if (!stopped) deps.log.warn({ err: error }, "the outbox could not be handed on; trying again");
        return 0;
      });
      if (found < batchSize) await Promise.race([woken, Bun.sleep(pollMs)]);
    }
  };

  const wake = () => {
    const waiting = wakeUp;
    wakeUp = Promise.withResolvers<void>();
    waiting.resolve();
  };

  const running = run();
  return {
    started: Promise.resolve(),
    wake,
    stop: async () => {
      stopped = true;
      wake();
      await running;
    },
  };
}

/** One batch: publishes it, then deletes what the bus has. Returns how many rows it could hand on. */
async function drain(deps: RelayDeps): Promise<number> {
  return deps.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.outboxRelay})`);
    const rows = await tx.select().from(outbox).orderBy(asc(outbox.id)).limit(batchSize);
    if (rows.length === 0) return 0;
    const refused = await publish(deps, rows.flatMap(eventsOf));
    const [whole, partly] = [
      rows.filter((row) => !eventsOf(row).some((it) => refused.has(it))),
      rows.filter((row) => eventsOf(row).some((it) => refused.has(it))),
    ];
    if (whole.length > 0)
      await tx.delete(outbox).where(
        inArray(
          outbox.id,
          whole.map(({ id }) => id),
        ),
      );
    for (const row of partly) await keepRefused(tx, row, refused);
    return whole.length;
  });
}

/** Only what the bus did not take waits for the next time. */
async function keepRefused(tx: Tx, row: Row, refused: ReadonlySet<BusEvent>): Promise<void> {
  const left = eventsOf(row).filter((event) => refused.has(event));
  if (left.length < eventsOf(row).length) await tx.update(outbox).set({ payload: left }).where(eq(outbox.id, row.id));
}

/** Returns what the bus did not take. When it answers but refuses the events together it gets them one by one, so that one bad event holds nobody up. */
async function publish({ bus, log }: RelayDeps, events: readonly BusEvent[]): Promise<ReadonlySet<BusEvent>> {
  const give = (some: readonly BusEvent[]) => bus.publish(some, { dedupe: true });
  try {
    await give(events);
    return new Set();
  } catch (error) {
    log.warn({ err: error, events: events.length }, "the bus did not take the outbox; what is refused stays");
  }
  const reachable = await bus.ping().then(
    () => true,
    () => false,
  );
  if (!reachable) return new Set(events);
  const refused = new Set<BusEvent>();
  for (const event of events) {
    await give([event]).catch((error: unknown) => {
      log.warn({ err: error, event: event.id, type: event.type }, "the bus refuses an event; it stays in the outbox");
      refused.add(event);
    });
  }
  return refused;
}

/** `createTransact` and the task recorder alone write rows, from `BusEvent`s. */
function eventsOf(row: Row): readonly BusEvent[] {
  return row.payload as readonly BusEvent[];
}
