export interface QueueSettings {
  readonly concurrency: number;
  /** How long one attempt may run. */
  readonly timeoutMs: number;
  readonly attempts: number;
}

const second = 1_000;
const minute = 60 * second;

/** The twelve queues and how each is worked. */
export const queueCatalogue = {
  "email-send": { concurrency: 5, timeoutMs: 30 * second, attempts: 3 },
  "push-notification": { concurrency: 10, timeoutMs: 15 * second, attempts: 2 },
  "sms-message": { concurrency: 3, timeoutMs: 45 * second, attempts: 5 },
  "notification-create": { concurrency: 5, timeoutMs: 10 * second, attempts: 2 },
  "swarm-execution": { concurrency: 1, timeoutMs: 10 * minute, attempts: 1 },
  "llm-completion": { concurrency: 1, timeoutMs: 5 * minute, attempts: 3 },
  "run-start": { concurrency: 1, timeoutMs: 60 * minute, attempts: 1 },
  "sandbox-execution": { concurrency: 5, timeoutMs: 90 * second, attempts: 1 },
  "export-user-data": { concurrency: 2, timeoutMs: 5 * minute, attempts: 1 },
  "import-user-data": { concurrency: 2, timeoutMs: 10 * minute, attempts: 2 },
  "webhook-delivery": { concurrency: 1, timeoutMs: 15 * second, attempts: 8 },
  maintenance: { concurrency: 1, timeoutMs: 5 * minute, attempts: 3 },
} as const satisfies Record<string, QueueSettings>;

export type QueueName = keyof typeof queueCatalogue;

export const queueNames = Object.keys(queueCatalogue).filter((name): name is QueueName => name in queueCatalogue);
