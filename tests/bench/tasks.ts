import { z } from "zod";
import { migratePostgresQueues } from "../../app/platform/queue/postgres.ts";
import { testLogger, testPostgres, testRedis } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";
import { newPrefix, type Substrate, storeOf } from "./queue.ts";

interface Size {
  readonly throughput: { readonly jobs: number; readonly inFlight: number; readonly batch: number; readonly concurrency: number };
  readonly latency: { readonly perSecond: number; readonly seconds: number; readonly concurrency: number };
}

const sizes: Readonly<Record<Substrate, Size>> = {
  redis: {
    throughput: { jobs: 10_000, inFlight: 100, batch: 500, concurrency: 50 },
    latency: { perSecond: 1_000, seconds: 2, concurrency: 50 },
  },
  postgres: {
    throughput: { jobs: 1_000, inFlight: 50, batch: 100, concurrency: 20 },
    latency: { perSecond: 100, seconds: 3, concurrency: 20 },
  },
};

const peer = "peer: BullMQ alone, which keeps nothing of what has ended";

/** Tasks that do nothing, on their whole way: accepted into the record, dealt out in turns, parsed, worked, recorded with their history, announced. */
export const tasks: readonly Bench[] = [
  {
    name: "tasks-redis",
    what: `Tasks that do nothing, with record, history, fairness and events, queues on Redis; ${peer}. Waits at 1 000 jobs/s.`,
    needsRedis: true,
    rounds: 3,
    measures: [
      { name: "accept", unit: "jobs/s", bar: { ratioMin: 0.8 } },
      { name: "process", unit: "jobs/s", bar: { ratioMin: 0.8 } },
      { name: "process, absolute", unit: "jobs/s", bar: { valueMin: 15_000 } },
      { name: "accept to start p50", unit: "ms" },
      { name: "accept to start p95", unit: "ms", bar: { valueMax: 10 } },
    ],
    subject: keelson("redis"),
    peer: bullmq("redis"),
  },
  {
    name: "tasks-postgres",
    what: `The same on PostgreSQL alone; ${peer}. Waits at 100 jobs/s.`,
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "accept", unit: "jobs/s", bar: { ratioMin: 0.8 } },
      { name: "process", unit: "jobs/s", bar: { ratioMin: 0.8 } },
      { name: "accept to start p50", unit: "ms" },
      { name: "accept to start p95", unit: "ms" },
    ],
    subject: keelson("postgres"),
    peer: bullmq("postgres"),
  },
];

const rates = z.object({ accept: z.number(), process: z.number() });
const rawRates = z.object({ addOne: z.number(), process: z.number() });
const waits = z.object({ p50: z.number(), p95: z.number() });

function keelson(substrate: Substrate): Side {
  return {
    what: "Keelson",
    start: async () => {
      const databaseUrl = await testPostgres();
      await migratePostgresQueues(databaseUrl, testLogger("bench"));
      const redisUrl = substrate === "redis" ? await testRedis() : undefined;
      const driver = await startChild("tasks-driver.ts", { databaseUrl, redisUrl, prefix: newPrefix() });
      return {
        measure: async () => {
          const rate = await driver.ask("throughput", sizes[substrate].throughput, rates);
          const wait = await driver.ask("latency", sizes[substrate].latency, waits);
          return named(rate, wait);
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}

function bullmq(substrate: Substrate): Side {
  return {
    what: "BullMQ",
    start: async () => {
      const driver = await startChild("queue-driver.ts", { side: "raw", substrate, ...(await storeOf(substrate)) });
      return {
        measure: async () => {
          const rate = await driver.ask("throughput", sizes[substrate].throughput, rawRates);
          const wait = await driver.ask("latency", sizes[substrate].latency, waits);
          return named({ accept: rate.addOne, process: rate.process }, wait);
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}

function named(rate: z.infer<typeof rates>, wait: z.infer<typeof waits>) {
  return {
    accept: rate.accept,
    process: rate.process,
    "process, absolute": rate.process,
    "accept to start p50": wait.p50,
    "accept to start p95": wait.p95,
  };
}
