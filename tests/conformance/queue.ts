import { randomToken } from "../../app/platform/ids.ts";
import type { QueueName } from "../../app/platform/queue/catalogue.ts";
import type { QueuedJob, Queues } from "../../app/platform/queue/port.ts";
import { migratePostgresQueues, openPostgresQueues } from "../../app/platform/queue/postgres.ts";
import { openRedisQueues } from "../../app/platform/queue/redis.ts";
import { emptyPostgres, testLogger, testRedis } from "../services.ts";

/** One adapter under test: every `open` sees the same store, as another copy would. */
export interface QueueAdapter {
  readonly name: string;
  open(): Queues;
  /** Takes one job of `queue` in a process of its own that dies while it holds it. */
  loseWorker(queue: QueueName): Promise<void>;
}

/** Both adapters on real stores; Redis is left out, loudly, where there is none. */
export async function queueAdapters(): Promise<QueueAdapter[]> {
  const url = await emptyPostgres();
  const log = testLogger("queue");
  await migratePostgresQueues(url, log);
  const postgres: QueueAdapter = {
    name: "PostgreSQL",
    open: () => openPostgresQueues({ url, connectionsMax: 8, applicationName: "keelson test", log }),
    loseWorker: (queue) => loseWorker({ url, queue }),
  };
  const redisUrl = await testRedis();
  if (redisUrl === undefined) return [postgres];
  const prefix = `test-${randomToken(6)}`;
  const redis: QueueAdapter = {
    name: "Redis",
    open: () => openRedisQueues({ target: { kind: "single", url: redisUrl }, prefix, log }),
    loseWorker: (queue) => loseWorker({ url: redisUrl, prefix, queue }),
  };
  return [postgres, redis];
}

async function loseWorker(target: { readonly url: string; readonly prefix?: string; readonly queue: QueueName }): Promise<void> {
  const worker = Bun.spawn([process.execPath, new URL("./doomed-worker.ts", import.meta.url).pathname, JSON.stringify(target)], {
    stdin: "ignore",
    stdout: "pipe",
  });
  for await (const chunk of worker.stdout) if (new TextDecoder().decode(chunk).includes("holding")) break;
  worker.kill("SIGKILL");
  await worker.exited;
}

export function job(over: Partial<QueuedJob> = {}): QueuedJob {
  return {
    taskId: `tsk_${randomToken(9)}`,
    round: 0,
    queue: "maintenance",
    name: "test.job",
    input: { n: 1 },
    attempt: 1,
    attemptsMax: 3,
    timeoutMs: 1_000,
    ...over,
  };
}
