import type { QueueName } from "./catalogue.ts";

/** A job as it waits: addressed by the id of its task, so that adding it twice is adding it once. */
export interface QueuedJob {
  readonly taskId: string;
  readonly queue: QueueName;
  /** The contract's name. */
  readonly name: string;
  readonly input: unknown;
  /** Correlates the job with the request that asked for it. */
  readonly requestId?: string;
  readonly delayMs?: number;
}

export interface Delivery extends QueuedJob {
  /** 1 for the first try; counts the tries that ended in an error. */
  readonly attempt: number;
  readonly attemptsMax: number;
  /** How often a worker has begun it; exceeds `attempt` when a worker died while holding it. */
  readonly starts: number;
}

/** How the processing of one delivery ended, as the queue needs to know it. */
export type DeliveryEnd =
  | { readonly kind: "done" }
  /** Deliver again with back-off, counting an attempt. */
  | { readonly kind: "retry"; readonly reason: string }
  /** Deliver again after `delayMs`, counting nothing. */
  | { readonly kind: "again"; readonly delayMs: number }
  | { readonly kind: "failed"; readonly reason: string };

export type Process = (delivery: Delivery) => Promise<DeliveryEnd>;

export interface QueueConsumer {
  readonly started: Promise<void>;
  setConcurrency(concurrency: number): void;
  /** Takes no new job and resolves when the running ones have ended. Stopping twice is harmless. */
  stop(): Promise<void>;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  readonly completed: number;
}

/** At-least-once delivery of jobs to consumers on any copy. */
export interface Queues {
  /** Resolves when the store has them all. A task id the queue still knows is left as it is. */
  add(jobs: readonly QueuedJob[]): Promise<void>;
  counts(queue: QueueName): Promise<QueueCounts>;
  consume(queue: QueueName, options: { readonly concurrency: number }, process: Process): QueueConsumer;
  /** Throws when the store does not answer. */
  ping(): Promise<void>;
  /** Stops the consumers too, so their running jobs end first. */
  close(): Promise<void>;
}
