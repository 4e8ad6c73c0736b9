import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { Pool } from "pg";
import { z } from "zod";
import { answerParent, argumentOf } from "./child.ts";

// The other peer of http-auth: better-auth's session with its cookie cache on, so that it asks no database either.
const { databaseUrl } = argumentOf(z.object({ databaseUrl: z.string() }));
const options = {
  database: new Pool({ connectionString: databaseUrl, max: 10 }),
  baseURL: "http://127.0.0.1",
  secret: "a secret of the bench, which guards nothing",
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: true, maxAge: 3_600 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => auth.handler(request) });
answerParent({ url: () => `http://127.0.0.1:${server.port}`, cpu: () => process.cpuUsage() });
