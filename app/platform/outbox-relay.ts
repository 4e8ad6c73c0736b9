import { asc, inArray, sql } from "drizzle-orm";
import type { Db } from "../../db/client.ts";
import { outbox } from "../../db/schema/platform.ts";
import type { Bus, BusEvent, Running } from "./bus/port.ts";
import type { Logger } from "./logger.ts";
import type { QueuedJob, Queues } from "./queue/port.ts";

export interface RelayDeps {
  readonly db: Db;
  readonly bus: Bus;
  readonly queues: Queues;
  readonly log: Logger;
}

export interface Relay extends Running {
  /** Something was written: look now instead of at the next poll. */
  wake(): void;
}

/** Only one relay of all copies hands on at a time; that keeps the order of events. */
const advisoryLockKey = 7_165_103;
const batchSize = 500;
/** Finds what a copy left behind when it died between its commit and its wake-up. */
const pollMs = 500;

type Row = typeof outbox.$inferSelect;

/** Hands committed outbox rows on to the bus and the queues, at least once, until stopped. */
export function startRelay(deps: RelayDeps): Relay {
  let stopped = false;
  let wakeUp = Promise.withResolvers<void>();

  const run = async () => {
    while (!stopped) {
      const woken = wakeUp.promise;
      const handedOn = await drain(deps).catch((error: unknown) => {
        if (!stopped) deps.log.warn({ err: error }, "the outbox could not be read; trying again");
        return 0;
      });
      if (handedOn < batchSize) await Promise.race([woken, Bun.sleep(pollMs)]);
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

/** One batch: publishes and queues it, then deletes what the store has. Rows of the half that failed stay for the next time. */
async function drain(deps: RelayDeps): Promise<number> {
  return deps.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${advisoryLockKey})`);
    const rows = await tx.select().from(outbox).orderBy(asc(outbox.id)).limit(batchSize);
    if (rows.length === 0) return 0;
    const events = rows.filter((row) => row.kind === "event");
    const jobs = rows.filter((row) => row.kind === "job");
    const done = await Promise.all([
      handOn(events, { give: (some) => deps.bus.publish(some.map(asEvent), { dedupe: true }), ping: deps.bus.ping }, deps.log),
      handOn(jobs, { give: (some) => deps.queues.add(some.map(asJob)), ping: deps.queues.ping }, deps.log),
    ]);
    const ids = done.flat();
    if (ids.length > 0) await tx.delete(outbox).where(inArray(outbox.id, ids));
    return ids.length;
  });
}

interface Receiver {
  give(rows: readonly Row[]): Promise<unknown>;
  ping(): Promise<void>;
}

/** Gives `rows` to the store; when it answers but refuses them together, one by one, so that one bad row holds nobody up. Returns the ids it took. */
async function handOn(rows: readonly Row[], receiver: Receiver, log: Logger): Promise<readonly number[]> {
  if (rows.length === 0) return [];
  try {
    await receiver.give(rows);
    return rows.map((row) => row.id);
  } catch (error) {
    log.warn({ err: error, rows: rows.map((row) => row.id) }, "the outbox could not be handed on; what is refused stays");
  }
  const reachable =
    rows.length > 1 &&
    (await receiver.ping().then(
      () => true,
      () => false,
    ));
  if (!reachable) return [];
  const taken: number[] = [];
  for (const row of rows) taken.push(...(await handOn([row], receiver, log)));
  return taken;
}

/** Rows of kind `event` are written by `createTransact` alone, from a `BusEvent`. */
function asEvent(row: Row): BusEvent {
  return row.payload as BusEvent;
}

/** Rows of kind `job` are written by `createTransact` alone, from a `QueuedJob`. */
function asJob(row: Row): QueuedJob {
  return row.payload as QueuedJob;
}
