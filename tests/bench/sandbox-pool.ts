import { z } from "zod";
import { type Child, startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";
import { rate, waits } from "./sandbox-pace.ts";

const seconds = 2;
const cores = navigator.hardwareConcurrency;
const inFlight = 16;
const endless = "while (true) {}";
const unseenByTheEngine = "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)";
const hostile = { times: 3, timeoutMs: 200 };

/** Programs through the sandbox thread and its cells, and through the engine alone in one loop. */
export const sandboxPool: readonly Bench[] = [
  {
    name: "sandbox-pool",
    what: `A small program, over and over: main thread, sandbox thread, a cell and back, ${inFlight} in flight, on ${cores} cores; peer: QuickJS in the caller's own thread with a cell's priority, its runtime kept, a fresh context for each. A core's executions are all of them by the machine's ${cores} cores, or those of the one loop. Latencies at half the rate of the same round, in the loop one after the other.`,
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "executions, all cores", unit: "1/s" },
      { name: "executions per core", unit: "1/s", bar: { ratioMin: 0.5 } },
      { name: "executions per core, absolute", unit: "1/s", bar: { valueMin: 2_000 } },
      { name: "executions per core; peer with a fresh runtime for each", unit: "1/s" },
      { name: "executions per second of CPU", unit: "1/s" },
      { name: "CPU per execution", unit: "µs" },
      { name: "p50 at half load", unit: "ms", bar: { valueMax: 1 } },
      { name: "p95 at half load", unit: "ms", bar: { valueMax: 5 } },
      { name: "endless loop, longest beyond its limit", unit: "ms", bar: { valueMax: 150 } },
      { name: "indexOf over 2^53, longest beyond its limit", unit: "ms", bar: { valueMax: 150 } },
      { name: "memory of the server grown since its start (RSS)", unit: "MB", bar: { valueMax: 64 } },
    ],
    subject: subject(),
    peer: rawLoop(),
  },
];

function subject(): Side {
  return {
    what: "Keelson",
    start: async () => {
      const driver = await startChild("sandbox-driver.ts", {});
      return {
        measure: async () => {
          const most = await driver.ask("throughput", { inFlight, seconds }, rate);
          const wait = await driver.ask("latency", { perSecond: most.perSecond / 2, seconds }, waits);
          const perCore = most.perSecond / cores;
          return {
            "executions, all cores": most.perSecond,
            "executions per core": perCore,
            "executions per core, absolute": perCore,
            "executions per core; peer with a fresh runtime for each": perCore,
            ...cpu(most.cpuMicros),
            "p50 at half load": wait.p50,
            "p95 at half load": wait.p95,
            "endless loop, longest beyond its limit": await driver.ask("overLimit", { code: endless, ...hostile }, z.number()),
            "indexOf over 2^53, longest beyond its limit": await driver.ask(
              "overLimit",
              { code: unseenByTheEngine, ...hostile },
              z.number(),
            ),
            "memory of the server grown since its start (RSS)": await grown(driver),
          };
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}

/** Nothing ends `indexOf` in it. */
function rawLoop(): Side {
  return {
    what: "QuickJS alone",
    start: async () => {
      const loop = await startChild("sandbox-raw-loop.ts", {});
      return {
        measure: async () => {
          const inContexts = await loop.ask("throughput", { fresh: "context", seconds }, rate);
          const inRuntimes = await loop.ask("throughput", { fresh: "runtime", seconds }, rate);
          const took = await loop.ask("latency", { times: 2_000 }, waits);
          return {
            "executions, all cores": inContexts.perSecond,
            "executions per core": inContexts.perSecond,
            "executions per core, absolute": inContexts.perSecond,
            "executions per core; peer with a fresh runtime for each": inRuntimes.perSecond,
            ...cpu(inContexts.cpuMicros),
            "p50 at half load": took.p50,
            "p95 at half load": took.p95,
            "endless loop, longest beyond its limit": await loop.ask("overLimit", { code: endless, ...hostile }, z.number()),
            "memory of the server grown since its start (RSS)": await grown(loop),
          };
        },
        [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
      };
    },
  };
}

function cpu(micros: number) {
  return { "executions per second of CPU": 1_000_000 / micros, "CPU per execution": micros };
}

/** A ratio of two sizes that can be nothing says nothing, so at least the smallest step there is. */
async function grown(child: Child): Promise<number> {
  return Math.max(0.01, await child.ask("residentGrowth", {}, z.number()));
}
