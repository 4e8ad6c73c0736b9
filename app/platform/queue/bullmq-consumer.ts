import { DelayedError, type Job, UnrecoverableError } from "bullmq";
import type { Logger } from "../logger.ts";
import type { BullBackend, BullPayload } from "./bullmq.ts";
import type { QueueName } from "./catalogue.ts";
import type { Delivery, DeliveryEnd, Process, QueueConsumer } from "./port.ts";

/** A dead worker's job is taken over after at most lock + interval. */
const lockDurationMs = 10_000;
const stalledIntervalMs = 5_000;
/** How often a job may lose its worker is decided by whoever processes it, from `starts`; BullMQ must not fail it silently before. */
const stalledCountMax = 1_000;

/** One BullMQ worker as a consumer of the port. */
export function consumeWith(
  backend: BullBackend,
  options: { readonly name: QueueName; readonly concurrency: number; readonly log: Logger },
  process: Process,
): QueueConsumer {
  const worker = backend.openWorker(options.name, async (job, token) => settle(await process(toDelivery(job, options.name)), job, token), {
    concurrency: options.concurrency,
    lockDuration: lockDurationMs,
    stalledInterval: stalledIntervalMs,
    maxStalledCount: stalledCountMax,
    runRetryDelay: 1_000,
  });
  worker.on("error", (error) => options.log.warn({ err: error, queue: options.name }, "queue worker error"));
  let stopping: Promise<void> | undefined;
  return {
    started: worker.waitUntilReady().then(() => undefined),
    setConcurrency: (concurrency) => {
      worker.concurrency = concurrency;
    },
    stop: () => {
      stopping ??= worker.close();
      return stopping;
    },
  };
}

async function settle(end: DeliveryEnd, job: Job, token: string | undefined): Promise<void> {
  switch (end.kind) {
    case "done":
      return;
    case "retry":
      throw new Error(end.reason);
    case "again":
      await job.moveToDelayed(Date.now() + end.delayMs, token);
      throw new DelayedError();
    case "failed":
      throw new UnrecoverableError(end.reason);
    default:
      end satisfies never;
  }
}

function toDelivery(job: Job, queue: QueueName): Delivery {
  const payload: BullPayload = job.data;
  return {
    taskId: job.id ?? "",
    queue,
    name: job.name,
    input: payload.input,
    ...(payload.requestId ? { requestId: payload.requestId } : {}),
    attempt: job.attemptsMade + 1,
    attemptsMax: job.opts.attempts ?? 1,
    starts: job.attemptsStarted,
  };
}
