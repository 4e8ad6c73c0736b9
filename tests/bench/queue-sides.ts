import { createPostgresBackend, DEFAULT_SCHEMA, type JobsOptions, type PgPool, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";
import { createLogger } from "../../app/platform/logger.ts";
import { openPostgresQueues } from "../../app/platform/queue/postgres.ts";
import { openRedisQueues } from "../../app/platform/queue/redis.ts";

/** The little that both sides can do, so that one driver measures either. */
export interface QueueSide {
  addOne(job: BenchJob): Promise<unknown>;
  addMany(jobs: readonly BenchJob[]): Promise<unknown>;
  consume(concurrency: number, onJob: (input: unknown) => void): { readonly started: Promise<unknown>; stop(): Promise<unknown> };
}

export interface BenchJob {
  readonly id: string;
  readonly input: unknown;
}

export interface QueueAddress {
  readonly substrate: "redis" | "postgres";
  readonly url: string;
  readonly prefix: string;
}

const queue = "maintenance";
const connectionsMax = 8;

/** The queue port. */
export function openKeelson({ substrate, url, prefix }: QueueAddress): QueueSide {
  const log = createLogger({ level: "warn", part: "bench" });
  const queues =
    substrate === "redis"
      ? openRedisQueues({ target: { kind: "single", url }, prefix, log })
      : openPostgresQueues({ url, connectionsMax, applicationName: "keelson bench", log });
  const toQueued = ({ id, input }: BenchJob) =>
    ({ taskId: id, round: 0, queue, name: "bench.job", input, attempt: 1, attemptsMax: 3, timeoutMs: 60_000 }) as const;
  return {
    addOne: (job) => queues.add([toQueued(job)]),
    addMany: (jobs) => queues.add(jobs.map(toQueued)),
    consume: (concurrency, onJob) =>
      queues.consume(queue, { concurrency }, async (delivery) => {
        onJob(delivery.input);
      }),
  };
}

const workerOptions = { lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 1_000, runRetryDelay: 1_000 };

/** BullMQ as its manual shows it, with the options that the port sets. */
export function openRaw({ substrate, url, prefix }: QueueAddress): QueueSide {
  type Open = {
    readonly queue: Pick<Queue, "add" | "addBulk">;
    worker(process: (job: { data: unknown }) => Promise<void>, concurrency: number): RawWorker;
  };
  type RawWorker = {
    waitUntilReady(): Promise<unknown>;
    close(): Promise<void>;
    on(event: "error", listener: (error: Error) => void): unknown;
  };
  const open = (): Open => {
    if (substrate === "redis") {
      const commands = new Redis(url);
      const blocking = new Redis(url, { maxRetriesPerRequest: null });
      return {
        queue: new Queue(queue, { connection: commands, prefix, skipWaitingForReady: true }),
        worker: (process, concurrency) => new Worker(queue, process, { connection: blocking, prefix, concurrency, ...workerOptions }),
      };
    }
    const connection = asBullPool(new pg.Pool({ connectionString: url, max: connectionsMax, options: `-c search_path=${DEFAULT_SCHEMA}` }));
    return {
      queue: new Queue(queue, { connection, skipWaitingForReady: true }, createPostgresBackend),
      worker: (process, concurrency) => new Worker(queue, process, { connection, concurrency, ...workerOptions }, createPostgresBackend),
    };
  };
  const bull = open();
  return {
    addOne: ({ id, input }) => bull.queue.add("bench.job", { input }, jobOptions(id)),
    addMany: (jobs) => bull.queue.addBulk(jobs.map(({ id, input }) => ({ name: "bench.job", data: { input }, opts: jobOptions(id) }))),
    consume: (concurrency, onJob) => {
      const worker = bull.worker(async (job) => {
        onJob(inputOf(job.data));
      }, concurrency);
      worker.on("error", (error) => console.error(error));
      return { started: worker.waitUntilReady(), stop: () => worker.close() };
    },
  };
}

function jobOptions(jobId: string): JobsOptions {
  return {
    jobId,
    attempts: 1_000_000,
    backoff: { type: "fixed", delay: 1_000 },
    removeOnComplete: true,
    removeOnFail: true,
  };
}

function inputOf(data: unknown): unknown {
  return typeof data === "object" && data !== null && "input" in data ? data.input : undefined;
}

/** The same object: see app/platform/queue/postgres.ts. */
function asBullPool(pool: pg.Pool): PgPool {
  return pool as unknown as PgPool;
}
