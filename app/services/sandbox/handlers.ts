import type { z } from "zod";
import type { CapabilityUse } from "../../../db/schema/sandbox.ts";
import type { ExecutionOutcome } from "../../../sandbox/execution.ts";
import type { Now } from "../../platform/clock.ts";
import type { Transact } from "../../platform/outbox.ts";
import { giveUp, type JobHandler } from "../../platform/queue/job.ts";
import { recordCalls } from "./capabilities/broker.ts";
import { announceEnd, type SignReceipt, signatureOf } from "./finish.ts";
import type { executeJob, runProgramJob } from "./jobs.ts";
import { guestOf, toRequest, toView } from "./rows.ts";
import type { Answer, Execute } from "./service.ts";
import type { ExecutionRow, ExecutionStore } from "./store.ts";

export interface SandboxHandlerDeps {
  readonly store: ExecutionStore;
  readonly transact: Transact;
  readonly execute: Execute;
  readonly answer: Answer;
  readonly sign: SignReceipt;
  readonly now: Now;
}

/**
 * Runs a stored execution in a cell and stores its outcome.
 * Idempotent as far as its code is: a program without capabilities has no effects, one with them may be run again after a crash, and an outcome that is
 * already stored is kept.
 */
export function createExecuteHandler({
  store,
  transact,
  execute,
  answer,
  sign,
  now,
}: SandboxHandlerDeps): JobHandler<z.infer<typeof executeJob.input>> {
  const finish = async (row: ExecutionRow, outcome: ExecutionOutcome, calls: readonly CapabilityUse[]) => {
    const signature = await signatureOf(row, outcome, sign);
    return transact(async (unit) => {
      const finished = await store.finish(row.id, { outcome, calls, signature, finishedAt: now() }, unit.tx);
      if (!finished) return store.find(row.id, unit.tx);
      announceEnd(unit, row, { outcome, signature });
      return finished;
    });
  };

  return async ({ executionId }, context) => {
    const row = await store.find(executionId);
    if (!row) return giveUp(`there is no execution ${executionId}`);
    if (row.finishedAt) return { execution: toView(row) };
    context.use({ memoryBytes: row.memoryBytes });
    const guest = guestOf(row);
    const { ask, uses } = recordCalls(guest.grants, (call) => answer(guest, call));
    const outcome = await execute(toRequest(row), { ask, signal: context.signal });
    // A program that was ended with its attempt has no outcome: another attempt may give it one.
    context.signal.throwIfAborted();
    const finished = await finish(row, outcome, uses);
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
    context.use({ memoryBytes: program.memoryBytes });
    const row = { ...program, deterministic: program.seed !== undefined, id: context.taskId, ownerId: context.ownerId ?? "system" };
    const outcome = await execute(toRequest(row), { signal: context.signal });
    if (outcome.logs.length > 0) await context.lines(outcome.logs);
    if (outcome.status !== "succeeded") return giveUp(outcome.error ? `${outcome.error.name}: ${outcome.error.message}` : outcome.status);
    return { output: outcome.output, receipt: outcome.receipt };
  };
}
