import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import { createBatcher } from "../../../platform/batcher.ts";
import { DeadlineExceeded, withDeadline } from "../../../platform/deadline.ts";
import { Problem } from "../../../platform/errors.ts";
import type { EventContract, EventInit } from "../../../platform/events.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";

/** One use of something secret. */
export interface Access<Data> extends Pick<EventInit<Data>, "subject" | "audience" | "tenant" | "outcome" | "data"> {
  readonly contract: EventContract<string, Data>;
  /** Absent for what the program does on its own. */
  readonly actor?: Pick<Actor, "userId"> | undefined;
  readonly origin?: RequestOrigin | undefined;
}

/** Resolves once it is in the trail for good: only then may what it is about be given out. Throws `Problem` (`unavailable`) when the trail can't be written. */
export type RecordAccess = <Data>(access: Access<Data>) => Promise<void>;

/** So long one write may take. What is written after that was refused: an entry too many, never one too few. */
const writeMsMax = 5_000;
/** So many writes may hang, each with a connection that others need too; then all are refused until one has ended. */
const hangingMax = 3;

/** Accesses that come while others are being written are written together. */
export function createRecordAccess(transact: Transact): RecordAccess {
  let hanging = 0;
  const batches = createBatcher<{ readonly json: string; readonly publish: (unit: Unit) => void }, true>({
    run: async (items) => {
      if (hanging >= hangingMax) throw new DeadlineExceeded(`${hanging} writes of the audit trail have not ended`);
      const writing = transact(async (unit) => {
        for (const { publish } of items) publish(unit);
        return items.map(() => true as const);
      });
      hanging += 1;
      const ended = () => {
        hanging -= 1;
      };
      writing.then(ended, ended);
      return withDeadline("writing the audit trail", writeMsMax, writing);
    },
  });
  return async ({ contract, actor, origin, ...event }) => {
    const publish = (unit: Unit) =>
      unit.publish(contract, { ...event, ...(actor ? { actorId: actor.userId } : {}), ...(origin ? { origin } : {}) });
    try {
      await batches.add({ json: JSON.stringify(event.data), publish });
    } catch (cause) {
      const isLate = cause instanceof DeadlineExceeded;
      throw new Problem("unavailable", {
        detail: `The audit trail ${isLate ? "is too slow" : "can't be written"}, so nothing that has to be in it is done.`,
        retryAfterSeconds: 1,
        cause,
      });
    }
  };
}
