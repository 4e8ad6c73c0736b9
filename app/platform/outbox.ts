import type { Db, Tx } from "../../db/client.ts";
import { auditLog } from "../../db/schema/audit.ts";
import { outbox } from "../../db/schema/platform.ts";
import { toBusEvent } from "./announce.ts";
import type { BusEvent } from "./bus/port.ts";
import type { Now } from "./clock.ts";
import type { EventContract, EventInit } from "./events.ts";

/** A unit of work: what a verb changes and announces, all or nothing. */
export interface Unit {
  readonly tx: Tx;
  /** Published once the transaction has committed, in the order of the calls. */
  publish<Data>(contract: EventContract<string, Data>, event: EventInit<Data>): void;
  /** Runs once the transaction has committed: for what only this process keeps. It must not throw. */
  afterCommit(run: () => void): void;
  /** Runs when the work was undone, before its error is passed on: for what has to be recorded of a failure. */
  afterRollback(run: () => Promise<void>): void;
}

export type Transact = <T>(work: (unit: Unit) => Promise<T>) => Promise<T>;

/**
 * The transactional outbox: events are a row of the same transaction as the change they belong to, so a rolled-back change
 * announces nothing and a committed one always does. `wake` tells the relay that there is something to hand on.
 */
export function createTransact(deps: { readonly db: Db; readonly now: Now; readonly wake: () => void }): Transact {
  return async (work) => {
    let announced = false;
    const afterwards: (() => void)[] = [];
    const onFailure: (() => Promise<void>)[] = [];
    const transaction = deps.db.transaction(async (tx) => {
      const events: BusEvent[] = [];
      const acts: (typeof auditLog.$inferInsert)[] = [];
      const value = await work({
        tx,
        publish: (contract, event) => {
          const announcement = toBusEvent(contract, event, deps.now);
          events.push(announcement);
          if (contract.audited) acts.push(toAuditRow(contract, announcement, event));
        },
        afterCommit: (run) => afterwards.push(run),
        afterRollback: (run) => onFailure.push(run),
      });
      if (events.length > 0) await tx.insert(outbox).values({ payload: events });
      if (acts.length > 0) await tx.insert(auditLog).values(acts);
      announced = events.length > 0;
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

/** The event's id is the row's, so that the two can be told to be one act. */
function toAuditRow<Data>(
  contract: Pick<EventContract<string, Data>, "outcome">,
  event: BusEvent,
  init: EventInit<Data>,
): typeof auditLog.$inferInsert {
  const { id, type, time, subject, requestId, data, audience, tenant } = event;
  const { actorId, origin, outcome = contract.outcome } = init;
  return { id, at: new Date(time), action: type, actorId, subject, outcome, requestId, ip: origin?.ip, audience, tenant, data };
}
