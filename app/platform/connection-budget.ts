import type { Config } from "../config.ts";
import { queueNames } from "./queue/catalogue.ts";

/** How many PostgreSQL connections each part of one copy may hold. */
export interface ConnectionBudget {
  readonly main: { readonly pool: number; readonly queues: number; readonly events: number };
  readonly bus: { readonly pool: number; readonly queues: number; readonly events: number };
  readonly queue: { readonly pool: number; readonly queues: number; readonly events: number };
  readonly queueThreads: number;
  /** Of one copy, all parts together. */
  readonly total: number;
}

/** For migrations, `doctor` and a person with psql. */
const reserve = 10;

/** The one place that shares out connections: pools take theirs from here, and the embedded server is sized by the sum. */
export function connectionBudget(config: Pick<Config, "redis" | "KEELSON_QUEUE_THREADS">): ConnectionBudget {
  const queueThreads = config.KEELSON_QUEUE_THREADS ?? Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));
  const queuesOnPostgres = config.redis === undefined;
  const main = { pool: 10, queues: queuesOnPostgres ? 2 : 0, events: queuesOnPostgres ? 3 : 0 };
  // Relay, leadership and its listener, the dispatcher of twelve queues.
  const bus = { pool: 8, queues: queuesOnPostgres ? 2 : 0, events: queuesOnPostgres ? 4 : 0 };
  // A consumer keeps one connection for LISTEN; the rest take and finish jobs.
  const queue = { pool: 6, queues: queuesOnPostgres ? queueNames.length + 4 : 0, events: queuesOnPostgres ? 1 : 0 };
  const sum = (part: Readonly<Record<string, number>>) => Object.values(part).reduce((total, count) => total + count, 0);
  return { main, bus, queue, queueThreads, total: sum(main) + sum(bus) + queueThreads * sum(queue) + reserve };
}
