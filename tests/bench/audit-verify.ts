import { z } from "zod";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";

/** What it costs to check an export of the audit trail. */
export const auditVerify: readonly Bench[] = [
  {
    name: "audit-verify",
    what: "An export of 200 000 entries is checked line by line, as `verify-audit` does it. Peer: each line parsed as JSON and hashed, and nothing else.",
    needsRedis: false,
    rounds: 5,
    measures: [{ name: "rows", unit: "1/s", bar: { valueMin: 200_000 } }],
    subject: side("verify"),
    peer: side("parse and hash"),
  },
];

function side(how: "verify" | "parse and hash"): Side {
  return {
    what: how,
    start: async () => {
      const child = await startChild("audit-verify-driver.ts", { how });
      return {
        measure: () => child.ask("measure", {}, z.object({ rows: z.number() })),
        [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
      };
    },
  };
}
