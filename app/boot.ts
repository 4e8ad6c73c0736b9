import { Registry } from "prom-client";
import { type DatabaseClient, openDatabase } from "../db/client.ts";
import { migrate } from "../db/migrate.ts";
import { startThreads } from "../workers/start-threads.ts";
import { authSettings, type Config, pageOrigins, publicUrl, sandboxBounds, serviceBaseUrls, vaultValues } from "./config.ts";
import { createCopyEvents } from "./copy-events.ts";
import { type DatabaseServer, openDatabaseServer } from "./database-server.ts";
import { drain } from "./drain.ts";
import { createGuards } from "./http/guards.ts";
import { createReadiness } from "./http/health.ts";
import { requireSameOrigin } from "./http/same-origin.ts";
import { createApp, listen } from "./http/server.ts";
import { createEventStreams } from "./http/sse.ts";
import type { Actor } from "./platform/actor.ts";
import { systemNow } from "./platform/clock.ts";
import { connectionBudget } from "./platform/connection-budget.ts";
import { openDataFolder } from "./platform/data-folder.ts";
import { startHousekeeping } from "./platform/housekeeping.ts";
import { createIdempotencyRecords } from "./platform/idempotency/store.ts";
import { openKeys } from "./platform/keys/open.ts";
import { localRootSecret } from "./platform/keys/root-key.ts";
import type { Logger } from "./platform/logger.ts";
import { createTransact } from "./platform/outbox.ts";
import { createAddressGuard } from "./platform/outgoing/address-guard.ts";
import { registerProcessMetrics } from "./platform/process-metrics.ts";
import { queueTable } from "./platform/queue/overrides.ts";
import { migratePostgresQueues } from "./platform/queue/postgres.ts";
import { openBus, openLimiter, openQueues, redisVersion } from "./platform/substrate.ts";
import { waitFor } from "./platform/wait-for.ts";
import { sandboxProblem } from "./sandbox-problem.ts";
import { firstSetupToken } from "./services/auth/accounts/setup-token.ts";
import { openAuthService } from "./services/auth/service.ts";
import { createAuthStore } from "./services/auth/store.ts";
import { callableJobs } from "./services/callable-jobs.ts";
import { eventCatalogue } from "./services/event-catalogue.ts";
import { registerEventMetrics } from "./services/events/insight/metrics.ts";
import { createEventServices } from "./services/events/parts.ts";
import { createNotifyService } from "./services/notify/service.ts";
import { createNotifyStore } from "./services/notify/store.ts";
import { serviceRoutes } from "./services/routes.ts";
import { createSandboxServices } from "./services/sandbox/parts.ts";
import { createSecretsServices } from "./services/secrets/parts.ts";
import { createTaskServices, openTaskRecord } from "./services/tasks/parts.ts";
import { registerQueueMetrics } from "./services/tasks/queues/metrics.ts";
import { taskEnd } from "./services/tasks/watch.ts";

/** A copy of Keelson that runs. */
export interface Copy {
  /** Where it listens; undefined without the `api` role. */
  readonly url: string | undefined;
  readonly database: DatabaseServer["kind"];
  /** Opens the page that creates the first administrator; only at the very first start. */
  readonly setupToken: string | undefined;
  readonly threads: ReturnType<typeof startThreads>;
  /** How many event streams clients hold open. */
  openStreams(): number;
  /** Stops taking work, lets the running work end within the grace period, then closes everything in reverse. Closing twice is harmless. */
  close(): Promise<void>;
}

/** Some moments after the start, when whoever waited for it has had the first answer. */
const warmAfterMs = 2_000;

/** The composition root: opens everything in order. When a part fails, what was opened is closed and the reason is thrown. */
export async function boot(config: Config, log: Logger): Promise<Copy> {
  await using opening = new AsyncDisposableStack();
  const now = systemNow;
  const waiting = { limitMs: config.KEELSON_STARTUP_WAIT_MS, log };

  const folder = await openDataFolder(config.KEELSON_DATA_DIR, { log });
  const rootSecret = await localRootSecret(config.KEELSON_KEK, folder);

  const server = opening.adopt(await openDatabaseServer({ config, folder, log }), (it) => it.stop());
  const budget = connectionBudget(config);
  const database = opening.adopt(
    openDatabase({ url: server.url, connectionsMax: budget.main.pool, applicationName: "keelson main" }),
    (it) => it.close(),
  );
  await waitFor("PostgreSQL", database.ping, waiting);
  await migrate(server.url);
  const { seal, keyring, vault } = opening.adopt(await openKeys({ config, rootSecret, db: database.db, now, log }), (it) => it.stop());
  const { redis } = config;
  if (redis) await waitFor("Redis", () => redisVersion(redis), waiting);
  else await migratePostgresQueues(server.url, log);

  const address = { config, databaseUrl: server.url };
  const queues = opening.adopt(
    openQueues(address, { connectionsMax: budget.main.queues, applicationName: "keelson main queues", log }),
    (it) => it.close(),
  );
  const limiter = opening.adopt(openLimiter(address, { sql: database.sql, log }), (it) => it.close());

  // Queue threads run programs before what answers those is composed.
  const sandboxHost = Promise.withResolvers<ReturnType<typeof createSandboxServices>["sandboxHost"]>();
  const threads = opening.adopt(
    startThreads({
      config,
      databaseUrl: server.url,
      rootSecret,
      log,
      queueThreads: budget.queueThreads,
      sandboxHost: {
        answer: async (guest, call) => (await sandboxHost.promise).answer(guest, call),
        sign: async (claims) => (await sandboxHost.promise).sign(claims),
      },
    }),
    (it) => it.stop(),
  );
  await threads.started;

  const transact = createTransact({ db: database.db, now, wake: threads.wakeOutbox });
  const streams = createEventStreams();
  const copyEvents = createCopyEvents({ config, transact, log });
  threads.onRestarted((thread, restarts) => void copyEvents.threadRestarted(thread, restarts));

  // The services, each given what it needs and nothing else.
  const settings = queueTable(config.KEELSON_QUEUES);
  const { wakeTasks: wake, feed } = threads;
  const record = openTaskRecord({ db: database.db, settings, feed, wake, now });
  const { create: createTask } = record.producer;

  const notify = createNotifyService({ store: createNotifyStore(database.db), createTask, seal });

  const auth = opening.adopt(
    await openAuthService({
      db: database.db,
      transact,
      seal,
      feed,
      limiter,
      sendMail: notify.sendMail,
      createTask,
      settings: authSettings(config),
      now,
      log,
    }),
    (it) => it.stop(),
  );
  opening.adopt(startHousekeeping({ log, chores: auth.chores }), (it) => it.stop());
  auth.onRevoked(({ sessionId, minVersion }) => streams.closeFor(({ via }) => isRefused(via, sessionId, minVersion)));

  const taskServices = createTaskServices({
    db: database.db,
    record,
    settings,
    queues,
    transact,
    wake,
    can: auth.can,
    contractOf: callableJobs(sandboxBounds(config)),
    schedulesMax: config.KEELSON_SCHEDULES_MAX,
    seal,
    now,
  });

  const bus = opening.adopt(openBus(address, { connectionsMax: budget.main.events, applicationName: "keelson main events", log }), (it) =>
    it.close(),
  );
  const eventServices = createEventServices({
    db: database.db,
    bus,
    live: threads.live,
    feed,
    transact,
    catalogue: eventCatalogue,
    teamsOf: auth.teamsOf,
    membershipTypes: auth.membershipTypes,
    can: auth.can,
    createTask,
    seal,
    guard: createAddressGuard(config.KEELSON_WEBHOOK_NETWORKS),
    subscriptionsMax: config.KEELSON_SUBSCRIPTIONS_MAX,
    publicUrl: publicUrl(config),
    customTypes: config.KEELSON_CUSTOM_EVENTS,
    streamsMax: config.KEELSON_STREAMS_MAX,
    openStreams: () => streams.open,
    now,
  });

  const secretsServices = createSecretsServices({
    db: database.db,
    seal,
    keyring,
    vault: vault && { client: vault, ...vaultValues(config) },
    transact,
    createTask,
    can: auth.can,
    teamsOf: auth.teamsOf,
    secretsMax: config.KEELSON_SECRETS_MAX,
    baseUrls: serviceBaseUrls(config),
    integrationGuard: createAddressGuard(config.KEELSON_INTEGRATION_NETWORKS),
    publicUrl: publicUrl(config),
    log,
    now,
  });

  const sandboxServices = createSandboxServices({
    db: database.db,
    transact,
    createTask,
    can: auth.can,
    execute: threads.sandbox && ((request, options) => threads.execute(request, options).catch(sandboxProblem)),
    cells: threads.cellStats,
    taskEnd: (id, signal) => taskEnd(record.watch, id, signal),
    endedTasks: record.store.unsuccessful,
    guard: createAddressGuard(config.KEELSON_SANDBOX_NETWORKS),
    publish: eventServices.publishOne,
    readSecret: secretsServices.readSecretFor,
    sign: ({ executionId: subject, ...claims }) => auth.signStatement({ type: "keelson-receipt+jwt", subject, claims }),
    log,
    now,
  });
  sandboxHost.resolve(sandboxServices.sandboxHost);

  const sameOrigin = requireSameOrigin(pageOrigins(config));
  const guards = createGuards({
    verify: auth.verify,
    limiter,
    idempotencyRecords: createIdempotencyRecords({ db: database.db, seal, now }),
    sameOrigin,
    bodyBytesMax: config.KEELSON_BODY_BYTES_MAX,
    requestsPerMinute: config.KEELSON_RATE_LIMIT_PER_MINUTE,
    refusalsPerMinute: config.KEELSON_REFUSED_LIMIT_PER_MINUTE,
    credentialTriesPerMinute: config.KEELSON_LOGIN_LIMIT_PER_MINUTE,
  });
  const metrics = new Registry();
  registerProcessMetrics(metrics);
  registerQueueMetrics({ metrics, queues: taskServices.queues, log });
  const { eventInsight: insight, publishing } = eventServices;
  registerEventMetrics({ metrics, insight, publishing, openStreams: () => streams.open, log });
  const app = createApp({
    log,
    metrics,
    metricsToken: config.KEELSON_METRICS_TOKEN,
    trustedProxies: config.KEELSON_TRUST_PROXY,
    corsOrigins: config.KEELSON_CORS_ORIGINS,
    readiness: createReadiness([
      { name: "database", check: () => pingDatabase(server, database) },
      { name: config.redis ? "redis" : "queues", check: queues.ping },
      ...threads.dependencies,
    ]),
    services: serviceRoutes({
      auth,
      ...taskServices,
      ...eventServices,
      ...sandboxServices,
      ...secretsServices,
      publicUrl: publicUrl(config),
      notify,
      guards,
      streams,
      sameOrigin,
      bounds: sandboxBounds(config),
      developmentMailbox: config.KEELSON_DEV_MAILBOX,
    }),
  });

  const { KEELSON_ADMIN_EMAIL: email, KEELSON_ADMIN_PASSWORD: password } = config;
  if (email && password) await auth.accounts.ensureAdmin(email, password);
  const http = config.KEELSON_ROLES.includes("api") ? listen(app, { host: config.HOST, port: config.PORT }) : undefined;
  const warming = http && setTimeout(auth.warm, warmAfterMs).unref();
  opening.defer(() => clearTimeout(warming));
  // Last, and only where it can be used: a start that fails later would have used it up unseen.
  const setupToken = http && (await firstSetupToken(createAuthStore(database.db)));

  await copyEvents.started();

  opening.defer(() => {
    void copyEvents.stopping();
    return drain({ threads, streams, http, graceMs: config.KEELSON_SHUTDOWN_GRACE_MS });
  });

  const open = opening.move();
  let closing: Promise<void> | undefined;
  return {
    url: http?.url,
    database: server.kind,
    setupToken,
    threads,
    openStreams: () => streams.open,
    close: () => {
      closing ??= open.disposeAsync();
      return closing;
    },
  };
}

/** The embedded server knows that it is down before a client notices. */
async function pingDatabase(server: DatabaseServer, database: DatabaseClient): Promise<void> {
  server.assertRunning();
  await database.ping();
}

/** Whether what the caller has shown falls under a revocation: all of the session or key, or its versions before `minVersion`. */
function isRefused(via: Actor["via"], id: string, minVersion: number | null): boolean {
  const shown = via.kind === "session" ? via.sessionId : via.keyId;
  return shown === id && (minVersion === null || via.version < minVersion);
}
