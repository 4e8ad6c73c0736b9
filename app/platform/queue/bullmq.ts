import type { Job, JobsOptions, Queue, QueueOptions, Worker, WorkerOptions } from "bullmq";
import type { Logger } from "../logger.ts";
import { consumeWith } from "./bullmq-consumer.ts";
import { type QueueName, queueCatalogue } from "./catalogue.ts";
import type { QueueConsumer, QueuedJob, Queues } from "./port.ts";

/** The parts of BullMQ's classes that do not depend on the backend's type. */
export type BullQueue = Pick<Queue, "add" | "addBulk" | "getJobCounts" | "close"> & {
  on(event: "error", listener: (error: Error) => void): unknown;
};
export type BullWorker = Pick<Worker, "concurrency" | "close"> & {
  waitUntilReady(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
};
export type BullProcessor = (job: Job, token?: string) => Promise<unknown>;

/** What differs between BullMQ on Redis and on PostgreSQL. */
export interface BullBackend {
  openQueue(name: QueueName, options: Omit<QueueOptions, "connection">): BullQueue;
  openWorker(name: QueueName, process: BullProcessor, options: Omit<WorkerOptions, "connection">): BullWorker;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The part of a job that BullMQ carries as its data. */
export interface BullPayload {
  readonly input: unknown;
  readonly requestId?: string;
}

interface BullJob {
  readonly name: string;
  readonly data: BullPayload;
  readonly opts: JobsOptions;
}

/** The queue port over BullMQ; queues are opened on first use. */
export function createBullQueues(backend: BullBackend, log: Logger): Queues {
  const open = new Map<QueueName, BullQueue>();
  const consumers: QueueConsumer[] = [];
  const queueOf = (name: QueueName): BullQueue => {
    const known = open.get(name);
    if (known) return known;
    const queue = backend.openQueue(name, { skipWaitingForReady: true });
    queue.on("error", (error) => log.warn({ err: error, queue: name }, "queue connection error"));
    open.set(name, queue);
    return queue;
  };

  return {
    add: async (jobs) => {
      const byQueue = Map.groupBy(jobs, (job) => job.queue);
      await Promise.all([...byQueue].map(([name, group]) => addTo(queueOf(name), group.map(toBull))));
    },
    counts: async (name) => {
      const counts = await queueOf(name).getJobCounts("waiting", "prioritized", "active", "delayed", "failed", "completed");
      const of = (state: string) => counts[state] ?? 0;
      return {
        waiting: of("waiting") + of("prioritized"),
        active: of("active"),
        delayed: of("delayed"),
        failed: of("failed"),
        completed: of("completed"),
      };
    },
    consume: (name, options, process) => {
      const consumer = consumeWith(backend, { name, log, ...options }, process);
      consumers.push(consumer);
      return consumer;
    },
    ping: () => backend.ping(),
    close: async () => {
      await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
      await Promise.allSettled([...open.values()].map((queue) => queue.close()));
      await backend.close();
    },
  };
}

/** One job alone goes without the transaction that a bulk needs, which is twice as fast. */
async function addTo(queue: BullQueue, jobs: readonly BullJob[]): Promise<void> {
  const [first] = jobs;
  if (first && jobs.length === 1) await queue.add(first.name, first.data, first.opts);
  else await queue.addBulk([...jobs]);
}

function toBull(job: QueuedJob): BullJob {
  return {
    name: job.name,
    data: { input: job.input, ...(job.requestId ? { requestId: job.requestId } : {}) },
    opts: {
      jobId: job.taskId,
      attempts: queueCatalogue[job.queue].attempts,
      backoff: { type: "exponential", delay: 1_000, jitter: 0.5 },
      removeOnComplete: { count: 1_000 },
      removeOnFail: { count: 1_000 },
      ...(job.delayMs ? { delay: job.delayMs } : {}),
    },
  };
}
