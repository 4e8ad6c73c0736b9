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

/** A connection that nothing passes through any more must not hold up those who come after. What is written late was refused: an entry too many, never one too few. */
const writeMsMax = 5_000;

/** Accesses that come while others are being written are written together. */
export function createRecordAccess(transact: Transact): RecordAccess {
  const batches = createBatcher<{ readonly json: string; readonly publish: (unit: Unit) => void }, true>({
    run: (items) =>
      withDeadline(
        "writing the audit trail",
        writeMsMax,
        transact(async (unit) => {
          for (const { publish } of items) publish(unit);
          return items.map(() => true as const);
        }),
      ),
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
