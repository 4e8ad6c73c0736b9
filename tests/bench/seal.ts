import { z } from "zod";
import { testPostgres } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";

const seconds = 1;

/** What it costs to encrypt, and to move what is encrypted to another key. */
export const sealing: readonly Bench[] = [
  {
    name: "seal-envelope",
    what: "Values of 1 KiB in one thread: a fresh data key for each, wrapped by the key-encryption key, and bound to its place. Peer: node:crypto's AES-256-GCM with one key for all.",
    needsRedis: false,
    rounds: 5,
    measures: [
      { name: "sealed", unit: "1/s", bar: { valueMin: 100_000 } },
      { name: "opened", unit: "1/s" },
    ],
    subject: sealer("envelope"),
    peer: sealer("node:crypto"),
  },
  {
    name: "seal-rewrap",
    what: "40 000 stored values of 1 KiB are moved to the next key-encryption key, a thousand at a time. Peer: the same rows updated in PostgreSQL, with nothing but themselves.",
    needsRedis: false,
    rounds: 3,
    measures: [{ name: "values", unit: "1/s", bar: { valueMin: 20_000 } }],
    subject: rewrapper("rewrap"),
    peer: rewrapper("update"),
  },
];

function sealer(how: "envelope" | "node:crypto"): Side {
  return {
    what: how,
    start: async () => {
      const child = await startChild("seal-driver.ts", { how });
      const rates = z.object({ sealed: z.number(), opened: z.number() });
      return { measure: () => child.ask("measure", { seconds }, rates), [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
    },
  };
}

function rewrapper(how: "rewrap" | "update"): Side {
  return {
    what: how === "rewrap" ? "Keelson" : "PostgreSQL's update",
    start: async () => {
      const child = await startChild("rewrap-driver.ts", { how, url: await testPostgres() });
      return {
        measure: () => child.ask("measure", {}, z.object({ values: z.number() })),
        [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
      };
    },
  };
}
