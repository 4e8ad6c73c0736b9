import { z } from "zod";
import { randomToken } from "../../app/platform/ids.ts";
import { migratePostgresQueues } from "../../app/platform/queue/postgres.ts";
import { emptyPostgres, testLogger, testRedis } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench, Measure, Side } from "./harness.ts";

export type Substrate = "redis" | "postgres";

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
    latency: { perSecond: 200, seconds: 2, concurrency: 20 },
  },
};

/** Jobs that do nothing, through the queue port and through BullMQ itself with the same options. */
export const queue: readonly Bench[] = [
  {
    name: "queue-redis",
    what: "Jobs that do nothing through the queue port on Redis; peer: BullMQ with the same options. Waits at 1 000 jobs/s.",
    needsRedis: true,
    rounds: 5,
    measures: measures({ jobsPerSecondMin: 15_000, waitMsMax: 10 }),
    subject: side("keelson", "redis"),
    peer: side("raw", "redis"),
  },
  {
    name: "queue-postgres",
    what: "The same on PostgreSQL (the tests' server, `fsync` off, for both sides alike). Waits at 200 jobs/s.",
    needsRedis: false,
    rounds: 5,
    measures: measures({}),
    subject: side("keelson", "postgres"),
    peer: side("raw", "postgres"),
  },
];

function measures(bars: { readonly jobsPerSecondMin?: number; readonly waitMsMax?: number }): readonly Measure[] {
  const asRaw = { ratioMin: 0.8 };
  return [
    { name: "add one by one", unit: "jobs/s", bar: asRaw },
    { name: "add in batches", unit: "jobs/s", bar: asRaw },
    { name: "process", unit: "jobs/s", bar: asRaw },
    ...(bars.jobsPerSecondMin ? [{ name: "process, absolute", unit: "jobs/s", bar: { valueMin: bars.jobsPerSecondMin } }] : []),
    { name: "add to start p50", unit: "ms" },
    { name: "add to start p95", unit: "ms", ...(bars.waitMsMax ? { bar: { valueMax: bars.waitMsMax } } : {}) },
  ];
}

const rates = z.object({ addOne: z.number(), addBulk: z.number(), process: z.number() });
const waits = z.object({ p50: z.number(), p95: z.number() });

function side(which: "keelson" | "raw", substrate: Substrate): Side {
  return {
    what: which === "keelson" ? "Keelson" : "BullMQ",
    start: async () => {
      const driver = await startChild("queue-driver.ts", { side: which, substrate, ...(await storeOf(substrate)) });
      return {
        measure: async () => {
          const rate = await driver.ask("throughput", sizes[substrate].throughput, rates);
          const wait = await driver.ask("latency", sizes[substrate].latency, waits);
          return {
            "add one by one": rate.addOne,
            "add in batches": rate.addBulk,
            process: rate.process,
            "process, absolute": rate.process,
            "add to start p50": wait.p50,
            "add to start p95": wait.p95,
          };
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}

export function newPrefix(): string {
  return `bench-${randomToken(6).toLowerCase()}`;
}

/** One server for both sides, and in it a key prefix or a database for each. */
export async function storeOf(substrate: Substrate): Promise<{ readonly url: string; readonly prefix: string }> {
  const prefix = newPrefix();
  if (substrate === "redis") {
    const url = await testRedis();
    if (url === undefined) throw new Error("no Redis");
    return { url, prefix };
  }
  const url = await emptyPostgres();
  await migratePostgresQueues(url, testLogger("bench"));
  return { url, prefix };
}
