import type { Job } from "bullmq";
import type { Logger } from "../logger.ts";
import type { BullBackend, BullPayload, JobPayload } from "./bullmq.ts";
import type { QueueName } from "./catalogue.ts";
import type { Delivery, Process, QueueConsumer } from "./port.ts";

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
  const worker = backend.openWorker(options.name, (job) => process(toDelivery(job, options.name)), {
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

function toDelivery(job: Job, queue: QueueName): Delivery {
  const { json }: BullPayload = job.data;
  const payload: JobPayload = JSON.parse(json);
  return { ...payload, queue, name: job.name, starts: job.attemptsStarted };
}
