/** At most `max` starts in `perMs`. */
export interface Rate {
  readonly max: number;
  readonly perMs: number;
}

/** How long to wait before the next attempt: the listed pauses one after the other, or `baseMs` doubled each time up to `maxMs`. */
export type Backoff = { readonly pausesMs: readonly number[] } | { readonly baseMs: number; readonly maxMs: number };

/** After which time of one attempt a task is warned of, paused and ended, for users of the free tier; those of the others have more patience shown. */
export interface LongRunning {
  readonly warnMs: number;
  readonly pauseMs?: number;
  readonly stopMs?: number;
}

export interface QueueSettings {
  /** How many jobs one queue thread works at once: the scaler moves between the two. */
  readonly concurrencyMin: number;
  readonly concurrencyMax: number;
  /** How many may run at once on all copies together; without it, what their workers take. */
  readonly activeMax?: number;
  /** How long one attempt may run. */
  readonly timeoutMs: number;
  /** With one attempt a task that does not succeed is `failed`, for its owner to see to; with more it ends as `dead`, among the dead letters. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Of the whole queue, on all copies together. */
  readonly rate?: Rate;
  /** Of each group, so that one tenant leaves room for the others however much it has waiting; times the weight of its tier. */
  readonly groupConcurrency?: number;
  readonly groupRate?: Rate;
  readonly longRunning?: LongRunning;
  /** How long what runs may go on when its copy shuts down, within the copy's own grace; then it goes back to its queue. */
  readonly shutdownGraceMs?: number;
  /** What a task's own priority is added to; lower goes first. */
  readonly priority: number;
  /** How long an ended task is remembered. */
  readonly retentionDays: number;
  /** How long a dead letter is: somebody should have seen to it by then. */
  readonly deadLetterDays: number;
  /** Beyond this many that wait, new ones are refused. */
  readonly waitingMax: number;
  /** From here on somebody should know: how many wait (`queue.high_depth`), */
  readonly highDepth: number;
  /** how many run, as part of what may run, 0 to 1 (`task.high_load`), */
  readonly highLoad: number;
  /** how long the first in line has waited (`queue.stuck`), */
  readonly stuckMs: number;
  /** and which part of what ended lately failed, 0 to 1 (`queue.error_rate`). */
  readonly errorRate: number;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

const usual = {
  backoff: { baseMs: second, maxMs: 5 * minute },
  priority: 500,
  retentionDays: 30,
  deadLetterDays: 90,
  waitingMax: 5_000_000,
  highDepth: 10_000,
  highLoad: 0.9,
  stuckMs: 10 * minute,
  errorRate: 0.5,
} as const;
const workers = (min: number, max = min) => ({ concurrencyMin: min, concurrencyMax: max }) as const;

/** The twelve queues and how each is worked, unless the configuration says otherwise (`KEELSON_QUEUES`). */
export const queueCatalogue = {
  "email-send": { ...usual, ...workers(5), timeoutMs: 30 * second, attempts: 3 },
  "push-notification": { ...usual, ...workers(10), timeoutMs: 15 * second, attempts: 2, priority: 300 },
  "sms-message": { ...usual, ...workers(3), timeoutMs: 45 * second, attempts: 5, rate: { max: 10, perMs: second } },
  "notification-create": { ...usual, ...workers(5), timeoutMs: 10 * second, attempts: 2, priority: 300 },
  "swarm-execution": {
    ...usual,
    ...workers(1, 10),
    timeoutMs: 10 * minute,
    attempts: 1,
    longRunning: { warnMs: 5 * minute, pauseMs: 9 * minute },
  },
  "llm-completion": { ...usual, ...workers(1, 10), timeoutMs: 5 * minute, attempts: 3, longRunning: { warnMs: 2 * minute } },
  "run-start": { ...usual, ...workers(1, 1_000), timeoutMs: hour, attempts: 3, longRunning: { warnMs: 15 * minute, pauseMs: 50 * minute } },
  "sandbox-execution": { ...usual, ...workers(5), timeoutMs: 90 * second, attempts: 1 },
  "export-user-data": { ...usual, ...workers(2), timeoutMs: 5 * minute, attempts: 1, priority: 700 },
  "import-user-data": { ...usual, ...workers(2), timeoutMs: 10 * minute, attempts: 2, priority: 700 },
  "webhook-delivery": {
    ...usual,
    ...workers(1, 50),
    timeoutMs: 15 * second,
    attempts: 8,
    // A day in all, as Standard Webhooks recommends.
    // A subscription has a group for each delivery that it takes at once.
    groupConcurrency: 1,
    backoff: { pausesMs: [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 8 * hour, 8 * hour] },
  },
  maintenance: { ...usual, ...workers(1), timeoutMs: 5 * minute, attempts: 3, priority: 900 },
} as const satisfies Record<string, QueueSettings>;

export type QueueName = keyof typeof queueCatalogue;
export type QueueTable = Readonly<Record<QueueName, QueueSettings>>;

export const queueNames = Object.keys(queueCatalogue).filter((name): name is QueueName => name in queueCatalogue);

/** Before attempt `attempt + 1`, with half of it by chance so that what failed together does not come back together; milliseconds. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const pause =
    "pausesMs" in backoff
      ? (backoff.pausesMs[Math.min(attempt, backoff.pausesMs.length) - 1] ?? 0)
      : Math.min(backoff.baseMs * 2 ** (attempt - 1), backoff.maxMs);
  return Math.round(pause * (0.5 + random() / 2));
}
