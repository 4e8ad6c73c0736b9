import type { Logger } from "../app/platform/logger.ts";
import { queueCatalogue } from "../app/platform/queue/catalogue.ts";
import { GiveUp, type JobContext, TryAgainIn } from "../app/platform/queue/job.ts";
import type { Delivery, DeliveryEnd, Process } from "../app/platform/queue/port.ts";
import type { TaskError, TaskLifecycle } from "../app/services/tasks/lifecycle.ts";
import { type BoundHandler, findHandler, type Handlers } from "./job-handlers.ts";

export interface JobRunnerDeps {
  readonly handlers: Handlers;
  readonly tasks: TaskLifecycle;
  readonly log: Logger;
}

/** A job whose worker died this often beyond its attempts is the likely cause of death. */
const deathsMax = 3;

/** Takes a delivery through its task's states: begin, handle, and end in the record before the queue hears of it. */
export function createJobRunner({ handlers, tasks, log }: JobRunnerDeps): Process {
  const fail = async (delivery: Delivery, error: TaskError): Promise<DeliveryEnd> => {
    await tasks.fail(delivery.taskId, error);
    return { kind: "failed", reason: error.message };
  };

  const run = async (delivery: Delivery, handle: BoundHandler["handle"], taskLog: Logger): Promise<DeliveryEnd> => {
    const { taskId } = delivery;
    const { timeoutMs } = queueCatalogue[delivery.queue];
    const timeout = new AbortController();
    const context: JobContext = {
      taskId,
      signal: timeout.signal,
      log: taskLog,
      attempt: delivery.attempt,
      progress: (value) => tasks.progress(taskId, value),
      lines: (lines) => tasks.lines(taskId, lines),
    };
    try {
      const result = await withTimeout(handle(delivery.input, context), timeout, timeoutMs);
      await tasks.complete(taskId, result);
      return { kind: "done" };
    } catch (error) {
      return settleError(delivery, error, taskLog);
    }
  };

  const settleError = async (delivery: Delivery, error: unknown, taskLog: Logger): Promise<DeliveryEnd> => {
    if (error instanceof TryAgainIn) {
      await tasks.putBack(delivery.taskId);
      return { kind: "again", delayMs: error.delayMs };
    }
    const described = describe(error);
    const final = error instanceof GiveUp || isInvalidInput(error) || delivery.attempt >= delivery.attemptsMax;
    taskLog.warn({ err: error, attempt: delivery.attempt, final }, "task attempt failed");
    if (final) return fail(delivery, described);
    await tasks.putBack(delivery.taskId, described);
    return { kind: "retry", reason: described.message };
  };

  return async (delivery) => {
    const taskLog = log.child({
      taskId: delivery.taskId,
      job: delivery.name,
      ...(delivery.requestId ? { requestId: delivery.requestId } : {}),
    });
    const known = findHandler(handlers, delivery.name);
    if (!known) return fail(delivery, { name: "UnknownJob", message: `no handler for ${delivery.name}` });
    const beginning = await tasks.begin(delivery.taskId, delivery.attempt);
    if (beginning !== "begun") {
      taskLog.debug({ beginning }, "delivery of a task that needs no work");
      return { kind: "done" };
    }
    if (delivery.starts > delivery.attemptsMax + deathsMax) {
      return fail(delivery, { name: "WorkerLost", message: `the worker died ${delivery.starts - 1} times while it ran this task` });
    }
    return run(delivery, known.handle, taskLog);
  };
}

/** Bounds one attempt: aborts the handler's signal and stops waiting for it, so that a deaf handler can't hold its slot for ever. */
async function withTimeout<T>(work: Promise<T>, abort: AbortController, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`the attempt took longer than ${timeoutMs} ms`);
    abort.abort(error);
    late.reject(error);
  }, timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function isInvalidInput(error: unknown): boolean {
  return error instanceof Error && error.name === "ZodError";
}

function describe(error: unknown): TaskError {
  return error instanceof Error ? { name: error.name, message: error.message } : { name: "Error", message: String(error) };
}
