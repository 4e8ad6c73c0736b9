import { z } from "zod";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";
import { waits } from "./sandbox-pace.ts";

const load = { times: 30, perSecond: 20, seconds: 4 };
const waitsOfBoth = z.object({ oneByOne: waits, steady: waits, failed: z.number() });
const steady = `at ${load.perSecond} a second`;

/** What one owner's hostile programs do to another owner's honest ones. */
export const sandboxHostile: readonly Bench[] = [
  {
    name: "sandbox-hostile",
    what: `An owner's small programs, ${load.times} one after the other and then ${load.perSecond} a second for ${load.seconds} s, while another owner has 32 hostile programs (limits of 500 ms) in flight all the time, each again as soon as it ended; as many cells as there are by default. Peer: the same small programs alone.`,
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "one after the other p50", unit: "ms" },
      { name: "one after the other p95", unit: "ms", bar: { ratioMax: 3 } },
      { name: `${steady} p50`, unit: "ms" },
      { name: `${steady} p95`, unit: "ms", bar: { ratioMax: 3 } },
      { name: "did not succeed", unit: "programs", bar: { valueMax: 0 } },
    ],
    subject: side("beside 32 hostile ones", true),
    peer: side("alone", false),
  },
];

function side(what: string, hostile: boolean): Side {
  return {
    what,
    start: async () => {
      const driver = await startChild("sandbox-driver.ts", {});
      return {
        measure: async () => {
          const wait = await driver.ask("besideHostile", { hostile, ...load }, waitsOfBoth);
          return {
            "one after the other p50": wait.oneByOne.p50,
            "one after the other p95": wait.oneByOne.p95,
            [`${steady} p50`]: wait.steady.p50,
            [`${steady} p95`]: wait.steady.p95,
            "did not succeed": wait.failed,
          };
        },
        [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
      };
    },
  };
}
