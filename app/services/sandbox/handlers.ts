import type { z } from "zod";
import type { ExecutionOutcome, ExecutionRequest } from "../../../sandbox/execution.ts";
import type { Now } from "../../platform/clock.ts";
import type { Transact } from "../../platform/outbox.ts";
import { giveUp, type JobHandler } from "../../platform/queue/job.ts";
import { executionFinished } from "./events.ts";
import type { executeJob, runProgramJob } from "./jobs.ts";
import { toRequest, toView } from "./service.ts";
import type { ExecutionRow, ExecutionStore } from "./store.ts";

export interface SandboxHandlerDeps {
  readonly store: ExecutionStore;
  readonly transact: Transact;
  readonly execute: (request: ExecutionRequest, signal: AbortSignal) => Promise<ExecutionOutcome>;
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
    context.use({ memoryBytes: row.memoryBytes });
    const outcome = await execute(toRequest(row), context.signal);
    // A program that was ended with its attempt has no outcome: another attempt may give it one.
    context.signal.throwIfAborted();
    const finished = await finish(row, outcome);
    if (outcome.logs.length > 0) await context.lines(outcome.logs);
    return finished ? { execution: toView(finished) } : giveUp(`execution ${executionId} was deleted while it ran`);
  };
}

/** What a program left behind that is not worth keeping beyond its task. */
type ProgramResult = Pick<ExecutionOutcome, "output" | "receipt">;

/**
 * Runs a program that came with its task; one that does not succeed fails the task.
 * Idempotent: guest code has no effects of its own.
 */
export function createRunProgramHandler({ execute }: Pick<SandboxHandlerDeps, "execute">): JobHandler<z.infer<typeof runProgramJob.input>> {
  return async (program, context): Promise<ProgramResult> => {
    const { code, input, timeoutMs, memoryBytes, seed } = program;
    context.use({ memoryBytes });
    const owner = context.ownerId ?? "system";
    const limits = { timeoutMs, memoryBytes, ...(seed === undefined ? {} : { seed }) };
    const outcome = await execute({ id: context.taskId, owner, code, inputText: JSON.stringify(input), ...limits }, context.signal);
    if (outcome.logs.length > 0) await context.lines(outcome.logs);
    if (outcome.status !== "succeeded") return giveUp(outcome.error ? `${outcome.error.name}: ${outcome.error.message}` : outcome.status);
    return { output: outcome.output, receipt: outcome.receipt };
  };
}
