import type { QueueName } from "./catalogue.ts";

/** A job as it waits: addressed by its task and round, so that adding it twice is adding it once. */
export interface QueuedJob {
  readonly taskId: string;
  /** Which time it is that the task waits for a worker. */
  readonly round: number;
  readonly queue: QueueName;
  /** The contract's name. */
  readonly name: string;
  readonly input: unknown;
  /** 1 for the first try. */
  readonly attempt: number;
  /** On whose behalf. */
  readonly ownerId?: string;
  readonly attemptsMax: number;
  readonly timeoutMs: number;
  /** What the task's last round left for this one. */
  readonly checkpoint?: unknown;
  /** Correlates the job with the request that asked for it. */
  readonly requestId?: string;
}

export interface Delivery extends QueuedJob {
  /** How often a worker has begun this round; more than once when a worker died while holding it. */
  readonly starts: number;
}

/** Resolves when the delivery is dealt with, however the task ended; rejects when that could not be recorded, and then it comes again. */
export type Process = (delivery: Delivery) => Promise<void>;

export interface QueueConsumer {
  readonly started: Promise<void>;
  setConcurrency(concurrency: number): void;
  /** Takes no new job and resolves when the running ones have ended. Stopping twice is harmless. */
  stop(): Promise<void>;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
}

export type JobAddress = Pick<QueuedJob, "queue" | "taskId" | "round">;

/** At-least-once delivery of jobs to consumers on any copy. Holds what is about to run; the record of tasks holds everything. */
export interface Queues {
  /** Resolves when the store has them all. A round the queue still knows is left as it is. */
  add(jobs: readonly QueuedJob[]): Promise<void>;
  /** Takes back what no worker has begun; what one has, goes on. */
  remove(job: JobAddress): Promise<void>;
  counts(queue: QueueName): Promise<QueueCounts>;
  /** Consumers on all copies take no job of the queue until `resume`. */
  pause(queue: QueueName): Promise<void>;
  resume(queue: QueueName): Promise<void>;
  consume(queue: QueueName, options: { readonly concurrency: number }, process: Process): QueueConsumer;
  /** Throws when the store does not answer. */
  ping(): Promise<void>;
  /** Stops the consumers too, so their running jobs end first. */
  close(): Promise<void>;
}
