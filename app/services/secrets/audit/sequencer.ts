import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { hashEntry, noHash } from "./entry.ts";
import { trailMoved } from "./events.ts";
import type { AuditStore, Link } from "./store.ts";

export interface SequencerDeps {
  readonly store: Pick<AuditStore, "lock" | "end" | "unchained" | "newestPending" | "append">;
  readonly checkpoints: Pick<Checkpoints, "makeIfDue">;
  /** What else looks at each entry, once, in the transaction that chains it. */
  readonly onChained: (unit: Unit, links: readonly Link[]) => Promise<void>;
  readonly transact: Transact;
  /** Whether this copy is the one that does it. */
  readonly leads: () => boolean;
  readonly log: Logger;
}

const batchSize = 1_000;
const everyMs = 200;

/**
 * Chains what the trail has got since. Two that do it at once take turns; killed in the middle, nothing of the batch was done. In a database that the trail was
 * restored into it begins with an entry that says so.
 */
function createChaining({ store, onChained, transact }: Omit<SequencerDeps, "leads" | "log" | "checkpoints">) {
  /** Answers with how many it chained; fewer than a batch means that there are no more. */
  return (): Promise<number> =>
    transact(async (unit) => {
      await store.lock(unit.tx);
      const end = await store.end(unit.tx);
      const entries = await store.unchained(end, batchSize, unit.tx);
      if (entries.length === 0) {
        if (end?.fromElsewhere && (await store.newestPending(end, unit.tx)) === undefined)
          unit.publish(trailMoved, { data: { after: end.seq } });
        return 0;
      }
      let { seq, hash } = end ?? { seq: 0, hash: noHash };
      const links = entries.map(({ tx, entry }): Link => {
        seq += 1;
        hash = hashEntry(hash, seq, entry);
        return { seq, tx, hash, entry };
      });
      await store.append(links, unit.tx);
      await onChained(unit, links);
      return links.length;
    });
}

/** Keeps the chain up with the trail, a fraction of a second behind it. */
export function startSequencer(deps: SequencerDeps): Running {
  const chain = createChaining(deps);
  let vouches = true;
  /** A chain without checkpoints is better than none, so a key that does not open stops nothing. */
  const vouch = async (): Promise<void> => {
    try {
      await deps.checkpoints.makeIfDue();
      vouches = true;
    } catch (error) {
      if (vouches) deps.log.error({ err: error }, "no checkpoint of the audit trail could be made");
      vouches = false;
    }
  };
  return keepRunning({ name: "the audit chain", log: deps.log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      const chained = deps.leads() ? await chain() : 0;
      begun();
      if (deps.leads()) await vouch();
      if (chained < batchSize) await pause(everyMs, signal);
    }
  });
}
