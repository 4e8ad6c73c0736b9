import type { Job, JobsOptions, JobType, Queue, QueueOptions, Worker, WorkerOptions } from "bullmq";
import type { Logger } from "../logger.ts";
import { consumeWith } from "./bullmq-consumer.ts";
import type { QueueName } from "./catalogue.ts";
import type { JobAddress, QueueConsumer, QueuedJob, Queues } from "./port.ts";

/** The parts of BullMQ's classes that do not depend on the backend's type. */
export type BullQueue = Pick<Queue, "add" | "addBulk" | "getJobCounts" | "remove" | "pause" | "resume" | "close"> & {
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

/** What BullMQ carries as a job's data, in a text of its own: on PostgreSQL it keeps data as `jsonb`, which refuses NUL and lone surrogates. */
export interface BullPayload {
  readonly json: string;
}

/** The part of a job that is in that text; the queue and the name BullMQ carries itself. */
export type JobPayload = Omit<QueuedJob, "queue" | "name">;

interface BullJob {
  readonly name: string;
  readonly data: BullPayload;
  readonly opts: JobsOptions;
}

/** What waits in a paused queue. Only BullMQ on PostgreSQL counts it by itself, and its types do not name it. */
const paused = "paused" as JobType;

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
    remove: async (job) => {
      // BullMQ throws for a job that a worker holds.
      await queueOf(job.queue)
        .remove(jobIdOf(job))
        .catch((error: unknown) => log.debug({ err: error, taskId: job.taskId }, "a job was not taken back"));
    },
    counts: async (name) => {
      const counts = await queueOf(name).getJobCounts("waiting", paused, "active");
      return { waiting: (counts.waiting ?? 0) + (counts.paused ?? 0), active: counts.active ?? 0 };
    },
    pause: (name) => queueOf(name).pause(),
    resume: (name) => queueOf(name).resume(),
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

/** A delivery that could not be dealt with comes again, for as long as it takes: how often a task is tried is the record's business. */
const deliveriesMax = 1_000_000;
const redeliveryMs = 1_000;

function toBull({ queue: _queue, name, ...payload }: QueuedJob): BullJob {
  return {
    name,
    data: { json: JSON.stringify(payload satisfies JobPayload) },
    opts: {
      jobId: jobIdOf(payload),
      attempts: deliveriesMax,
      backoff: { type: "fixed", delay: redeliveryMs },
      removeOnComplete: true,
      removeOnFail: true,
    },
  };
}

function jobIdOf({ taskId, round }: Omit<JobAddress, "queue">): string {
  return `${taskId}.${round}`;
}
