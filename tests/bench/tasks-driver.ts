import { z } from "zod";
import { readConfig } from "../../app/config.ts";
import { systemNow as now } from "../../app/platform/clock.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { startRelay } from "../../app/platform/outbox-relay.ts";
import { openBus, openQueues } from "../../app/platform/substrate.ts";
import { startDispatcher } from "../../app/services/tasks/dispatch/dispatcher.ts";
import { createTaskProducer } from "../../app/services/tasks/record/create.ts";
import { createTaskStore } from "../../app/services/tasks/store.ts";
import { openDatabase } from "../../db/client.ts";
import { answerParent, argumentOf, type Child, startChild } from "./child.ts";
import { percentile } from "./harness.ts";
import { benchJob, benchQueues, sinceEpochMs, worked } from "./tasks-job.ts";

// The whole way of a task, but for HTTP: accepted into the record and dealt out here as the bus thread does it, worked off by another process as a queue thread does it.
const argument = argumentOf(z.object({ databaseUrl: z.string(), redisUrl: z.string().optional(), prefix: z.string() }));
const config = readConfig(undefined, {
  DATABASE_URL: argument.databaseUrl,
  ...(argument.redisUrl ? { REDIS_URL: argument.redisUrl } : {}),
  KEELSON_KEY_PREFIX: argument.prefix,
});
const log = createLogger({ level: "warn", part: "bench" });
const database = openDatabase({ url: argument.databaseUrl, connectionsMax: 6, applicationName: "keelson bench" });
const address = { config, databaseUrl: argument.databaseUrl };
const queues = openQueues(address, { connectionsMax: 4, applicationName: "keelson bench", log });
const bus = openBus(address, { connectionsMax: 2, applicationName: "keelson bench", log });
const relay = startRelay({ db: database.db, bus, log });

const sizes = z.object({ jobs: z.number(), inFlight: z.number(), concurrency: z.number() });
const pace = z.object({ perSecond: z.number(), seconds: z.number(), concurrency: z.number() });
/** One for all rounds: a process that has just started is slow. */
let worker: Promise<Child> | undefined;

answerParent({
  /** Accepts `jobs`, and then works them all off. Rates in jobs per second. */
  throughput: async (input) => {
    const { jobs, inFlight, concurrency } = sizes.parse(input);
    const accepting = performance.now();
    const { enqueue } = producer(concurrency, () => undefined);
    let left = jobs;
    const lane = async () => {
      while (left-- > 0) await enqueue({ contract: benchJob, input: { sentAt: 0 } });
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    const accept = jobs / ((performance.now() - accepting) / 1_000);

    const counting = await countingWorker(concurrency);
    const dispatcher = startDispatcher({ ...deps(concurrency), queues });
    const { firstAt, lastAt } = await workedOff(counting, jobs);
    await dispatcher.stop();
    return { accept, process: (jobs - 1) / ((lastAt - firstAt) / 1_000) };
  },
  /** Accepts at a steady rate; milliseconds from before that to the start of the work. */
  latency: async (input) => {
    const { perSecond, seconds, concurrency } = pace.parse(input);
    const counting = await countingWorker(concurrency);
    const dispatcher = startDispatcher({ ...deps(concurrency), queues });
    await dispatcher.started;
    const { enqueue } = producer(concurrency, dispatcher.wake);
    const accepting: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let sent = 0; sent < perSecond * seconds; ) {
      await Bun.sleep(1);
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
      for (; sent < Math.min(due, perSecond * seconds); sent += 1)
        accepting.push(enqueue({ contract: benchJob, input: { sentAt: sinceEpochMs() } }));
    }
    await Promise.all(accepting);
    const { waits } = await workedOff(counting, accepting.length);
    await dispatcher.stop();
    const sorted = waits.toSorted((a, b) => a - b);
    return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
  },
});

function deps(concurrency: number) {
  return { sql: database.sql, db: database.db, settings: benchQueues(concurrency), wakeRelay: relay.wake, now, log };
}

function producer(concurrency: number, wake: (queue: typeof benchJob.queue) => void) {
  const { findByDedupeKey } = createTaskStore(database.db);
  return createTaskProducer({ db: database.db, findByDedupeKey, queues: benchQueues(concurrency), wake, now });
}

async function countingWorker(concurrency: number): Promise<Child> {
  worker ??= startChild("tasks-worker.ts", { ...argument, concurrency });
  const started = await worker;
  await started.ask("begin", {}, z.unknown());
  return started;
}

/** All of them, as the worker saw them; their ends are in the record. */
async function workedOff(counting: Child, jobs: number) {
  for (;;) {
    const seen = await counting.ask("worked", {}, worked);
    if (seen.recorded >= jobs) return seen;
    await Bun.sleep(20);
  }
}
