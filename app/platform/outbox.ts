import type { Db, Tx } from "../../db/client.ts";
import { auditLog, outbox } from "../../db/schema/platform.ts";
import type { BusEvent } from "./bus/port.ts";
import type { Now } from "./clock.ts";
import type { EventContract, EventInit } from "./events.ts";
import { newId } from "./ids.ts";
import type { QueuedJob } from "./queue/port.ts";

/** A unit of work: what a verb changes, announces and asks for, all or nothing. */
export interface Unit {
  readonly tx: Tx;
  /** Published once the transaction has committed, in the order of the calls. */
  publish<Data>(contract: EventContract<string, Data>, event: EventInit<Data>): void;
  /** Queued once the transaction has committed. */
  enqueue(job: QueuedJob): void;
  /** Runs once the transaction has committed: for what only this process keeps. It must not throw. */
  afterCommit(run: () => void): void;
  /** Runs when the work was undone, before its error is passed on: for what has to be recorded of a failure. */
  afterRollback(run: () => Promise<void>): void;
}

export type Transact = <T>(work: (unit: Unit) => Promise<T>) => Promise<T>;

/**
 * The transactional outbox: events and jobs are rows of the same transaction as the change they belong to, so a rolled-back change
 * announces nothing and a committed one always does. `wake` tells the relay that there is something to hand on.
 */
export function createTransact(deps: { readonly db: Db; readonly now: Now; readonly wake: () => void }): Transact {
  return async (work) => {
    let announced = false;
    const afterwards: (() => void)[] = [];
    const onFailure: (() => Promise<void>)[] = [];
    const transaction = deps.db.transaction(async (tx) => {
      const rows: (typeof outbox.$inferInsert)[] = [];
      const acts: (typeof auditLog.$inferInsert)[] = [];
      const value = await work({
        tx,
        publish: (contract, event) => {
          const payload = toBusEvent(contract, event, deps.now);
          rows.push({ kind: "event", payload });
          if (contract.audited) acts.push(toAuditRow(payload, event));
        },
        afterCommit: (run) => afterwards.push(run),
        afterRollback: (run) => onFailure.push(run),
        enqueue: (job) => rows.push({ kind: "job", payload: job }),
      });
      if (rows.length > 0) await tx.insert(outbox).values(rows);
      if (acts.length > 0) await tx.insert(auditLog).values(acts);
      announced = rows.length > 0;
      return value;
    });
    const result = await transaction.catch(async (error: unknown) => {
      for (const run of onFailure) await run();
      throw error;
    });
    for (const run of afterwards) run();
    if (announced) deps.wake();
    return result;
  };
}

function toBusEvent<Data>(contract: EventContract<string, Data>, event: EventInit<Data>, now: Now): BusEvent {
  const { subject, audience, origin, data } = event;
  return {
    id: newId("event"),
    type: contract.type,
    time: now().toISOString(),
    ...(subject === undefined ? {} : { subject }),
    ...(audience === undefined ? {} : { audience }),
    ...(origin === undefined ? {} : { requestId: origin.requestId }),
    data,
  };
}

/** The event's id is the row's, so that the two can be told to be one act. */
function toAuditRow(event: BusEvent, { actorId, origin }: EventInit<unknown>): typeof auditLog.$inferInsert {
  const { id, type, time, subject, requestId, data } = event;
  return { id, at: new Date(time), action: type, actorId, subject, requestId, ip: origin?.ip, data };
}
