import { isDatabaseUnavailable } from "../../../db/errors.ts";
import type { ExecutionOutcome } from "../../../sandbox/execution.ts";
import { createBatcher } from "../../platform/batcher.ts";
import type { Transact } from "../../platform/outbox.ts";
import { announceEnd } from "./finish.ts";
import type { NewRow } from "./rows.ts";
import { type ExecutionEnd, type ExecutionRow, type ExecutionStore, outcomeColumns } from "./store.ts";

export interface Ended extends ExecutionEnd {
  readonly row: NewRow;
}

export interface RecordDeps {
  readonly store: Pick<ExecutionStore, "insertAll">;
  readonly transact: Transact;
}

/**
 * Stores executions that have ended, each with its event. Those that end while others are being stored go together, in one transaction; one that can't be stored
 * holds none of the others up.
 */
export function createRecord({ store, transact }: RecordDeps): (ended: Ended) => Promise<ExecutionRow> {
  const storeAll = (batch: readonly Ended[]): Promise<readonly ExecutionRow[]> =>
    transact(async (unit) => {
      const rows = await store.insertAll(batch.map(toRow), unit.tx);
      for (const { row, outcome, signature } of batch) announceEnd(unit, row, { outcome, signature });
      return rows;
    });
  const batches = createBatcher<{ readonly json: string; readonly ended: Ended }, ExecutionRow | { readonly failure: unknown }>({
    run: async (items) => {
      const batch = items.map(({ ended }) => ended);
      try {
        return await storeAll(batch);
      } catch (error) {
        if (batch.length === 1 || isDatabaseUnavailable(error)) throw error;
        return Promise.all(
          batch.map(async (one) => (await storeAll([one]).catch((failure: unknown) => [{ failure }]))[0] ?? { failure: error }),
        );
      }
    },
  });
  return async (ended) => {
    const stored = await batches.add({ json: ended.row.code + sizeOf(ended.outcome), ended });
    if ("failure" in stored) throw stored.failure;
    return stored;
  };
}

function toRow({ row, outcome, calls, signature, finishedAt }: Ended): NewRow {
  return { ...row, ...outcomeColumns(outcome), calls, receiptSignature: signature, finishedAt };
}

/** As long as what it writes. */
function sizeOf({ output, logs }: ExecutionOutcome): string {
  return JSON.stringify([output, logs]);
}
