import { z } from "zod";
import { testPostgres, testRedis } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";
import { newPrefix, type Substrate } from "./queue.ts";

const sizes = {
  redis: { throughput: { events: 60_000, batch: 500, inFlight: 4 }, latency: { perSecond: 10_000, seconds: 2 } },
  postgres: { throughput: { events: 10_000, batch: 200, inFlight: 1 }, latency: { perSecond: 1_000, seconds: 2 } },
} as const;

/** Events through the bus and a durable group, and through the store itself. */
export const events: readonly Bench[] = [
  {
    name: "events-redis",
    what: "Events published in batches of 500 and handled by a durable group in batches of up to 500, in one process; peer: ioredis with XADD, XREADGROUP and XACK in the same batches. Latency at 10 000 single events/s.",
    needsRedis: true,
    rounds: 5,
    measures: [
      { name: "published", unit: "events/s" },
      { name: "published and handled", unit: "events/s", bar: { ratioMin: 0.6 } },
      { name: "published and handled, absolute", unit: "events/s", bar: { valueMin: 60_000 } },
      { name: "publish to handler p50", unit: "ms" },
      { name: "publish to handler p95", unit: "ms", bar: { valueMax: 5 } },
    ],
    subject: side("keelson", "redis"),
    peer: side("raw", "redis"),
  },
  {
    name: "events-postgres",
    what: "The same on PostgreSQL (the tests' server, `fsync` off, for both sides alike), in batches of 200, one at a time; peer: inserts and reads by number of a bare table, which would pass over events that commit late if there were more at a time. Latency at 1 000 single events/s.",
    needsRedis: false,
    rounds: 5,
    measures: [
      { name: "published", unit: "events/s" },
      { name: "published and handled", unit: "events/s" },
      { name: "published and handled, absolute", unit: "events/s", bar: { valueMin: 3_000 } },
      { name: "publish to handler p50", unit: "ms" },
      { name: "publish to handler p95", unit: "ms", bar: { valueMax: 20 } },
    ],
    subject: side("keelson", "postgres"),
    peer: side("raw", "postgres"),
  },
];

const rates = z.object({ publish: z.number(), both: z.number() });
const waits = z.object({ p50: z.number(), p95: z.number() });

function side(which: "keelson" | "raw", substrate: Substrate): Side {
  return {
    what: which === "keelson" ? "Keelson" : "the store itself",
    start: async () => {
      const redisUrl = substrate === "redis" ? await testRedis() : undefined;
      const driver = await startChild("events-driver.ts", {
        side: which,
        databaseUrl: await testPostgres(),
        redisUrl,
        prefix: newPrefix(),
      });
      return {
        measure: async () => {
          const rate = await driver.ask("throughput", sizes[substrate].throughput, rates);
          const wait = await driver.ask("latency", sizes[substrate].latency, waits);
          return {
            published: rate.publish,
            "published and handled": rate.both,
            "published and handled, absolute": rate.both,
            "publish to handler p50": wait.p50,
            "publish to handler p95": wait.p95,
          };
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}
