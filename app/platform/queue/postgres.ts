import { createPostgresBackend, DEFAULT_SCHEMA, type PgPool, Queue, runMigrations, Worker } from "bullmq";
import pg from "pg";
import type { Logger } from "../logger.ts";
import { createBullQueues } from "./bullmq.ts";
import type { Queues } from "./port.ts";

export interface PostgresQueueOptions {
  readonly url: string;
  /** Each consumer keeps one connection to LISTEN on; the rest are for commands. */
  readonly connectionsMax: number;
  readonly applicationName: string;
  readonly log: Logger;
}

/** Queues on PostgreSQL, in BullMQ's own schema; `migratePostgresQueues` must have run once. */
export function openPostgresQueues(options: PostgresQueueOptions): Queues {
  const pool = openPool(options);
  const connection = asBullPool(pool);
  return createBullQueues(
    {
      openQueue: (name, settings) => new Queue(name, { ...settings, connection }, createPostgresBackend),
      openWorker: (name, process, settings) => new Worker(name, process, { ...settings, connection }, createPostgresBackend),
      ping: async () => {
        await pool.query("select 1");
      },
      close: () => pool.end(),
    },
    options.log,
  );
}

/** Creates or updates BullMQ's schema, under BullMQ's own advisory lock. */
export async function migratePostgresQueues(url: string, log: Logger): Promise<void> {
  const pool = openPool({ url, connectionsMax: 1, applicationName: "keelson migrate", log });
  const client = await pool.connect();
  try {
    await runMigrations(client, DEFAULT_SCHEMA);
  } finally {
    client.release();
    await pool.end();
  }
}

function openPool(options: PostgresQueueOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    options: `-c search_path=${DEFAULT_SCHEMA}`,
  });
  // Without a listener a lost idle connection ends the process.
  pool.on("error", (error) => options.log.warn({ err: error }, "queue connection lost"));
  // Every queue and consumer listens for its errors: that is no leak.
  pool.setMaxListeners(0);
  return pool;
}

/** The same object: `pg`'s own types declare `on` as one generic method, BullMQ's as overloads, and neither accepts the other. */
function asBullPool(pool: pg.Pool): PgPool {
  return pool as unknown as PgPool;
}
