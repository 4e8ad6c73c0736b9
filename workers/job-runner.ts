import type { Now } from "../app/platform/clock.ts";
import type { Logger } from "../app/platform/logger.ts";
import { backoffMs, type QueueTable } from "../app/platform/queue/catalogue.ts";
import { GiveUp, type JobContext, TryAgainIn } from "../app/platform/queue/job.ts";
import type { Delivery, Process } from "../app/platform/queue/port.ts";
import { resultEntry, stateEntry } from "../app/services/tasks/record/entries.ts";
import { NotStorable, type TaskRecorder } from "../app/services/tasks/record/recorder.ts";
import type { TaskEntry, TaskMove } from "../app/services/tasks/record/store.ts";
import type { RunningTasks } from "../app/services/tasks/registry/running-tasks.ts";
import { predecessorsOf, withoutSuccess } from "../app/services/tasks/states.ts";
import { isFailedQuery } from "../db/errors.ts";
import type { TaskUse } from "../db/schema/tasks.ts";
import { createAttempt, Stopped } from "./attempt.ts";
import { type BoundHandler, findHandler } from "./job-handlers.ts";

export interface JobRunnerDeps {
  /** By the contract's name. */
  readonly handlers: Readonly<Record<string, BoundHandler>>;
  readonly recorder: TaskRecorder;
  readonly running: RunningTasks;
  readonly settings: QueueTable;
  readonly workerId: string;
  readonly now: Now;
  readonly log: Logger;
}

interface TaskError {
  readonly name: string;
  readonly message: string;
}

/** A round that lost its worker this often is the likely cause. */
const startsMax = 3;

/** Takes a delivery through one attempt: begin, handle, and end in the record before the queue hears of it. */
export function createJobRunner(deps: JobRunnerDeps): Process {
  const { handlers, recorder, running, now } = deps;

  const stepOf = ({ taskId: id, round }: Delivery, step: Omit<TaskMove, "id" | "round" | "from">): TaskMove => ({
    id,
    round,
    from: predecessorsOf(step.to),
    ...step,
  });

  const fail = async (delivery: Delivery, error: TaskError): Promise<void> => {
    const to = withoutSuccess(delivery.attemptsMax);
    const entries = [stateEntry(to, delivery.attempt), resultEntry(to, { error })];
    await recorder.write(stepOf(delivery, { to, error, attempts: delivery.attempt, finishedAt: now(), entries }));
  };

  const complete = async (delivery: Delivery, result: unknown): Promise<void> => {
    const entries = [stateEntry("completed", delivery.attempt), resultEntry("completed", { result })];
    await recorder
      .write(stepOf(delivery, { to: "completed", result, attempts: delivery.attempt, finishedAt: now(), entries }))
      .catch((error: unknown) => {
        if (!(error instanceof NotStorable)) throw error;
        return fail(delivery, { name: "NotStorable", message: error.message });
      });
  };

  /** Another round: with an error it counts as an attempt. */
  const putBack = async (delivery: Delivery, delayMs: number, error?: TaskError): Promise<void> => {
    const attempts = error ? delivery.attempt : delivery.attempt - 1;
    const to = delayMs > 0 ? "delayed" : "waiting";
    const availableAt = new Date(now().getTime() + delayMs);
    const entries = [stateEntry(to, attempts)];
    await recorder.write(
      stepOf(delivery, { to, again: true, attempts, ...(delayMs > 0 ? { availableAt } : {}), ...(error ? { error } : {}), entries }),
    );
  };

  const settleError = async (delivery: Delivery, error: unknown, log: Logger): Promise<void> => {
    if (error instanceof Stopped) return error.reason === "shutdown" ? putBack(delivery, 0) : undefined;
    if (error instanceof TryAgainIn) return putBack(delivery, error.delayMs);
    const described = describe(error);
    const final = error instanceof GiveUp || isInvalidInput(error) || delivery.attempt >= delivery.attemptsMax;
    log.warn({ err: error, attempt: delivery.attempt, final }, "task attempt failed");
    if (final) return fail(delivery, described);
    return putBack(delivery, backoffMs(deps.settings[delivery.queue].backoff, delivery.attempt), described);
  };

  const run = async (delivery: Delivery, handle: BoundHandler["handle"], log: Logger): Promise<void> => {
    const { taskId: id, round, attempt: attempts } = delivery;
    const attempt = createAttempt(delivery.timeoutMs);
    let used: TaskUse | undefined;
    const task = { id, round, queue: delivery.queue, use: () => used, stop: attempt.stop };
    const tell = async (what: Pick<TaskMove, "progress" | "checkpoint">, entries: readonly TaskEntry[]) => {
      const taken = await recorder.write(stepOf(delivery, { to: "active", ...what, entries }));
      if (!taken) attempt.stop("superseded");
    };
    const context: JobContext = {
      taskId: id,
      ownerId: delivery.ownerId,
      signal: attempt.signal,
      log,
      attempt: attempts,
      checkpoint: delivery.checkpoint,
      save: (checkpoint) => tell({ checkpoint }, []),
      progress: (progress) => tell({ progress }, [{ type: "progress", data: progress }]),
      use: (more) => {
        used = { ...used, ...more };
      },
      lines: (lines) => {
        const at = now().toISOString();
        return tell(
          {},
          lines.map((line) => ({ type: "log", data: { ...line, at } })),
        );
      },
    };
    running.add(task);
    recorder.note(
      stepOf(delivery, { to: "active", attempts, workerId: deps.workerId, startedAt: now(), entries: [stateEntry("active", attempts)] }),
    );
    try {
      const outcome = await attempt
        .run(() => handle(delivery.input, context))
        .then(
          (result) => ({ result }),
          (error: unknown) => ({ error }),
        );
      if ("error" in outcome) await settleError(delivery, outcome.error, log);
      else await complete(delivery, outcome.result);
    } finally {
      running.remove(task);
    }
  };

  return async (given) => {
    const { taskId, name, requestId } = given;
    const log = deps.log.child({ taskId, job: name, ...(requestId ? { requestId } : {}) });
    // Seldom, and then the task may have gone on without this round.
    if (given.starts > 1 && !(await running.isCurrent({ id: taskId, round: given.round }))) return;
    // The queue has what was saved before the round began; the worker that was lost may have saved more.
    const delivery = given.starts > 1 ? { ...given, checkpoint: await running.checkpointOf(taskId) } : given;
    const known = findHandler(handlers, name);
    if (!known) return fail(delivery, { name: "UnknownJob", message: `no handler for ${name}` });
    if (delivery.starts > startsMax)
      return fail(delivery, { name: "WorkerLost", message: `the worker was lost ${delivery.starts - 1} times while it ran this task` });
    await run(delivery, known.handle, log);
  };
}

function isInvalidInput(error: unknown): boolean {
  return error instanceof Error && error.name === "ZodError";
}

/** Whoever owns the task reads this. The log has the whole. */
export function describe(error: unknown): TaskError {
  if (isFailedQuery(error)) return { name: "QueryFailed", message: "a query failed" };
  return error instanceof Error ? { name: error.name, message: error.message } : { name: "Error", message: String(error) };
}
