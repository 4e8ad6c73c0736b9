import type { z } from "zod";
import type { ExecutionOutcome, ExecutionRequest } from "../../../sandbox/execution.ts";
import type { Now } from "../../platform/clock.ts";
import type { Transact } from "../../platform/outbox.ts";
import { giveUp, type JobHandler } from "../../platform/queue/job.ts";
import { executionFinished } from "./events.ts";
import type { executeJob } from "./jobs.ts";
import { toRequest, toView } from "./service.ts";
import type { ExecutionRow, ExecutionStore } from "./store.ts";

export interface SandboxHandlerDeps {
  readonly store: ExecutionStore;
  readonly transact: Transact;
  readonly execute: (request: ExecutionRequest) => Promise<ExecutionOutcome>;
  readonly now: Now;
}

/**
 * Runs a stored execution in a cell and stores its outcome.
 * Idempotent: guest code has no effects of its own, and an outcome that is already stored is kept.
 */
export function createExecuteHandler({ store, transact, execute, now }: SandboxHandlerDeps): JobHandler<z.infer<typeof executeJob.input>> {
  const finish = (row: ExecutionRow, outcome: ExecutionOutcome) =>
    transact(async (unit) => {
      const finished = await store.finish(row.id, { outcome, finishedAt: now() }, unit.tx);
      if (!finished) return store.find(row.id, unit.tx);
      unit.publish(executionFinished, {
        subject: row.id,
        audience: row.ownerId,
        data: { status: outcome.status, wallMs: outcome.receipt.wallMs },
      });
      return finished;
    });

  return async ({ executionId }, context) => {
    const row = await store.find(executionId);
    if (!row) return giveUp(`there is no execution ${executionId}`);
    if (row.finishedAt) return { execution: toView(row) };
    const outcome = await execute(toRequest(row));
    const finished = await finish(row, outcome);
    if (outcome.logs.length > 0) await context.lines(outcome.logs);
    return finished ? { execution: toView(finished) } : giveUp(`execution ${executionId} was deleted while it ran`);
  };
}
