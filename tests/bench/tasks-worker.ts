import { z } from "zod";
import { readConfig } from "../../app/config.ts";
import { systemNow as now } from "../../app/platform/clock.ts";
import { newId } from "../../app/platform/ids.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { openQueues } from "../../app/platform/substrate.ts";
import { createTaskRecorder } from "../../app/services/tasks/record/recorder.ts";
import { startRunningTasks } from "../../app/services/tasks/registry/running-tasks.ts";
import { createRegistryStore } from "../../app/services/tasks/registry/store.ts";
import { openDatabase } from "../../db/client.ts";
import { createJobRunner } from "../../workers/job-runner.ts";
import { answerParent, argumentOf } from "./child.ts";
import { benchJob, benchQueues, sinceEpochMs } from "./tasks-job.ts";

// What a queue thread does, for one queue.
const { databaseUrl, redisUrl, prefix, concurrency } = argumentOf(
  z.object({ databaseUrl: z.string(), redisUrl: z.string().optional(), prefix: z.string(), concurrency: z.number() }),
);
const config = readConfig(undefined, {
  DATABASE_URL: databaseUrl,
  ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
  KEELSON_KEY_PREFIX: prefix,
});
const log = createLogger({ level: "warn", part: "bench" });
const database = openDatabase({ url: databaseUrl, connectionsMax: 4, applicationName: "keelson bench worker" });
const queues = openQueues({ config, databaseUrl }, { connectionsMax: 8, applicationName: "keelson bench worker", log });
const worker = { id: newId("worker"), node: "bench", thread: "worker" };
const recorder = createTaskRecorder({ db: database.db, now, wake: () => undefined, log });
const running = startRunningTasks({ store: createRegistryStore(database.db), worker, concurrency: () => ({}), log });
await running.started;

let recorded = 0;
let firstAt = 0;
let lastAt = 0;
let waits: number[] = [];
const handle = async (input: unknown) => {
  const { sentAt } = benchJob.input.parse(input);
  firstAt ||= sinceEpochMs();
  waits.push(sinceEpochMs() - sentAt);
};
const run = createJobRunner({
  handlers: { [benchJob.name]: { contract: benchJob, handle } },
  recorder,
  running,
  settings: benchQueues(concurrency),
  workerId: worker.id,
  now,
  log,
});
const consumer = queues.consume(benchJob.queue, { concurrency }, async (delivery) => {
  await run(delivery);
  recorded += 1;
  lastAt = sinceEpochMs();
});
await consumer.started;
answerParent({
  /** Counts from nothing again. */
  begin: () => {
    recorded = 0;
    firstAt = 0;
    waits = [];
  },
  worked: () => ({ recorded, firstAt, lastAt, waits: recorded > 0 ? waits : [] }),
});
