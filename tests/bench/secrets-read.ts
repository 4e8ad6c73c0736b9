import { z } from "zod";
import { request, signUp } from "../client.ts";
import { testPostgres } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench } from "./harness.ts";
import { generateLoad } from "./load.ts";
import { newPrefix } from "./queue.ts";
import { startServer } from "./tasks-crowd.ts";

const connections = 64;
const seconds = 3;
const path = "/v1/secrets/payments%2Fstripe";

/** A secret read over HTTP, each read in the audit trail before its answer. */
export const secretsRead: readonly Bench[] = [
  {
    name: "secrets-read",
    what: `GET ${path} by ${connections} clients with an access token, on a whole copy with PostgreSQL alone: each read is in the audit trail for good before it is answered; and the same in process, one after the other, without the trail. Peer: a bare Hono route that asks nobody who they are, reads the row, decrypts it once and inserts one row.`,
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "audited reads", unit: "1/s", bar: { valueMin: 5_000 } },
      { name: "p95", unit: "ms" },
      { name: "in process p50", unit: "ms" },
      { name: "in process p95", unit: "ms", bar: { valueMax: 1 } },
    ],
    subject: {
      what: "Keelson",
      start: async () => {
        await using opening = new AsyncDisposableStack();
        const server = opening.use(
          await startServer({ DATABASE_URL: await testPostgres(), KEELSON_KEY_PREFIX: newPrefix(), REDIS_URL: "" }),
        );
        const inProcess = opening.use(await startChild("secrets-read-driver.ts", { databaseUrl: await testPostgres() }));
        const { token } = await signUp(server.url);
        await request(server.url, "/v1/secrets", { token, body: { name: "payments/stripe", value: "x".repeat(1_024) } });
        const headers = { authorization: `Bearer ${token}` };
        const open = opening.move();
        return {
          measure: async () => {
            const load = await generateLoad({ url: `${server.url}${path}`, headers, connections, seconds });
            const own = await inProcess.ask("inProcess", {}, z.object({ p50: z.number(), p95: z.number() }));
            return { "audited reads": load.requests / load.seconds, p95: load.p95Ms, "in process p50": own.p50, "in process p95": own.p95 };
          },
          [Symbol.asyncDispose]: () => open.disposeAsync(),
        };
      },
    },
    peer: {
      what: "bare Hono",
      start: async () => {
        const bare = await startChild("secrets-read-driver.ts", { databaseUrl: await testPostgres() });
        const url = await bare.ask("url", {}, z.string());
        return {
          measure: async () => {
            const load = await generateLoad({ url: `${url}${path}`, headers: {}, connections, seconds });
            return { "audited reads": load.requests / load.seconds, p95: load.p95Ms };
          },
          [Symbol.asyncDispose]: () => bare[Symbol.asyncDispose](),
        };
      },
    },
  },
];
