import { createRoute, z } from "@hono/zod-openapi";
import { Registry } from "prom-client";
import { authSettings, readConfig } from "../../app/config.ts";
import { createGuards } from "../../app/http/guards.ts";
import { createRoutes, type Guards, jsonAnswer, keySecurity } from "../../app/http/route.ts";
import { requireSameOrigin } from "../../app/http/same-origin.ts";
import { createApp, listen } from "../../app/http/server.ts";
import { systemNow as now } from "../../app/platform/clock.ts";
import { createIdempotencyRecords } from "../../app/platform/idempotency/store.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { queueCatalogue } from "../../app/platform/queue/catalogue.ts";
import { createSeal } from "../../app/platform/seal.ts";
import { openLimiter } from "../../app/platform/substrate.ts";
import { authRoutes } from "../../app/services/auth/routes.ts";
import { openAuthService } from "../../app/services/auth/service.ts";
import { createTaskProducer } from "../../app/services/tasks/record/create.ts";
import { createTaskStore } from "../../app/services/tasks/store.ts";
import { openDatabase } from "../../db/client.ts";
import { answerParent, argumentOf } from "./child.ts";

// The subject of http-auth: what boot.ts puts before a route, with default settings but for a limit that the load does not reach.
const { databaseUrl, redisUrl } = argumentOf(z.object({ databaseUrl: z.string(), redisUrl: z.string().optional() }));
const config = readConfig(undefined, {
  DATABASE_URL: databaseUrl,
  ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
  KEELSON_KEY_PREFIX: "bench",
  KEELSON_RATE_LIMIT_PER_MINUTE: "10000000",
  KEELSON_LOGIN_LIMIT_PER_MINUTE: "10000000",
});
const log = createLogger({ level: config.LOG_LEVEL, part: "main" });
const database = openDatabase({ url: databaseUrl, connectionsMax: 10, applicationName: "keelson bench" });
const seal = createSeal(crypto.getRandomValues(Buffer.alloc(32)));
const transact = createTransact({ db: database.db, now, wake: () => undefined });
const limiter = openLimiter({ config, databaseUrl }, { sql: database.sql, log });
const auth = await openAuthService({
  db: database.db,
  transact,
  seal,
  feed: { watch: () => () => undefined },
  limiter,
  sendMail: async () => undefined,
  createTask: createTaskProducer({
    db: database.db,
    findByDedupeKey: createTaskStore(database.db).findByDedupeKey,
    queues: queueCatalogue,
    wake: () => undefined,
    now,
  }).create,
  settings: authSettings(config),
  now,
  log,
});
const sameOrigin = requireSameOrigin({ own: undefined, trusted: [] });
const guards = createGuards({
  verify: auth.verify,
  sameOrigin,
  limiter,
  idempotencyRecords: createIdempotencyRecords({ db: database.db, seal, now }),
  bodyBytesMax: config.KEELSON_BODY_BYTES_MAX,
  requestsPerMinute: config.KEELSON_RATE_LIMIT_PER_MINUTE,
  refusalsPerMinute: config.KEELSON_REFUSED_LIMIT_PER_MINUTE,
  credentialTriesPerMinute: config.KEELSON_LOGIN_LIMIT_PER_MINUTE,
});
const app = createApp({
  log,
  trustedProxies: config.KEELSON_TRUST_PROXY,
  corsOrigins: [],
  metrics: new Registry(),
  metricsToken: undefined,
  readiness: async () => ({ status: "ready", dependencies: {} }),
  services: [authRoutes({ auth, sameOrigin, guards }), benchRoutes(guards)],
});
const http = listen(app, { host: "127.0.0.1", port: 0 });
answerParent({ url: () => http.url, cpu: () => process.cpuUsage() });

/** One of them where API keys with the scope `ai:read` may come. */
function benchRoutes(behind: Guards) {
  const routes = createRoutes();
  for (const path of ["/v1/bench", "/v1/models"]) {
    const route = createRoute({
      method: "get",
      path,
      security: keySecurity,
      middleware: behind.signedIn,
      responses: { 200: jsonAnswer("A small answer", z.object({ answer: z.number(), text: z.string() })) },
    });
    routes.openapi(route, (c) => c.json({ answer: 42, text: "as small as an answer usually is" }, 200));
  }
  return routes;
}
