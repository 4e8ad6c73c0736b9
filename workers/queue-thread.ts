import { hostname } from "node:os";
import { sandboxBounds, vaultValues } from "../app/config.ts";
import type { Running } from "../app/platform/bus/port.ts";
import { systemNow } from "../app/platform/clock.ts";
import { connectionBudget } from "../app/platform/connection-budget.ts";
import { newId } from "../app/platform/ids.ts";
import { openKeys } from "../app/platform/keys/open.ts";
import { createKekStore } from "../app/platform/keys/store.ts";
import { createTransact } from "../app/platform/outbox.ts";
import { createAddressGuard } from "../app/platform/outgoing/address-guard.ts";
import type { QueueName } from "../app/platform/queue/catalogue.ts";
import { tryAgainIn } from "../app/platform/queue/job.ts";
import { queueTable } from "../app/platform/queue/overrides.ts";
import type { QueueConsumer } from "../app/platform/queue/port.ts";
import { openBus, openQueues } from "../app/platform/substrate.ts";
import { openAuthAccountData } from "../app/services/auth/account-data.ts";
import { createRename } from "../app/services/auth/accounts/rename.ts";
import { createKeyAuthority } from "../app/services/auth/api-keys/authority.ts";
import { createApiKeyStore } from "../app/services/auth/api-keys/store.ts";
import { createAuthStore } from "../app/services/auth/store.ts";
import { createLeaveTeams } from "../app/services/auth/teams/leave-all.ts";
import { createTeamStore } from "../app/services/auth/teams/store.ts";
import { callableJobs } from "../app/services/callable-jobs.ts";
import { subscriptionAccountData } from "../app/services/events/subscriptions/account-data.ts";
import { createSubscriptionStore } from "../app/services/events/subscriptions/store.ts";
import { createNotifyStore } from "../app/services/notify/store.ts";
import { sandboxAccountData } from "../app/services/sandbox/account-data.ts";
import { createExecutionStore } from "../app/services/sandbox/store.ts";
import { valuesAccountData } from "../app/services/sandbox/values/account-data.ts";
import { createValueStore } from "../app/services/sandbox/values/store.ts";
import { secretAccountData } from "../app/services/secrets/account-data.ts";
import { openAuditAccountData } from "../app/services/secrets/audit/parts.ts";
import { openConnectionAccountData } from "../app/services/secrets/connections/parts.ts";
import { externalKeyAccountData } from "../app/services/secrets/external-keys/account-data.ts";
import { createExternalKeyStore } from "../app/services/secrets/external-keys/store.ts";
import { createSealedStore } from "../app/services/secrets/keys/store.ts";
import { openRotateDeps } from "../app/services/secrets/rotation/parts.ts";
import { createSecretStore } from "../app/services/secrets/store.ts";
import { taskAccountData } from "../app/services/tasks/account-data.ts";
import { exportAccountData } from "../app/services/tasks/exports/account-data.ts";
import { createExportStore } from "../app/services/tasks/exports/store.ts";
import { createInsightStore } from "../app/services/tasks/insight/store.ts";
import { createTaskRecorder } from "../app/services/tasks/record/recorder.ts";
import { startRunningTasks } from "../app/services/tasks/registry/running-tasks.ts";
import { createRegistryStore } from "../app/services/tasks/registry/store.ts";
import { scheduleAccountData } from "../app/services/tasks/schedules/account-data.ts";
import { createCreateSchedule } from "../app/services/tasks/schedules/create.ts";
import { createScheduleStore } from "../app/services/tasks/schedules/store.ts";
import { createTaskStore } from "../app/services/tasks/store.ts";
import { openDatabase } from "../db/client.ts";
import { type Channel, openChannel } from "./channel.ts";
import { openEventHandlers } from "./event-handlers.ts";
import { createHandlers, jobContracts } from "./job-handlers.ts";
import { createJobRunner } from "./job-runner.ts";
import { metered } from "./meter.ts";
import type { MainForQueue, QueueThread, SandboxCalls, SandboxHost, ThreadData } from "./protocol.ts";
import { createSandboxClient, type Execute, isOverBudget, isSandboxAway } from "./sandbox-client.ts";
import { type ScaledConsumer, startScaling } from "./scaling.ts";
import { runThread } from "./thread-entry.ts";

/** Worked only where programs can be executed. */
const sandboxQueues: ReadonlySet<QueueName> = new Set(["sandbox-execution", "run-start", "swarm-execution"]);

/** Works the queues that have a job contract. Programs are executed elsewhere: this thread only asks the sandbox thread. */
await runThread<ThreadData, MainForQueue>(async ({ data, log, main }) => {
  await using opening = new AsyncDisposableStack();
  const { config } = data;
  const budget = connectionBudget(config).queue;
  const now = systemNow;
  let sandbox: Channel<SandboxCalls> | undefined;

  const database = opening.adopt(
    openDatabase({ url: data.databaseUrl, connectionsMax: budget.pool, applicationName: `keelson ${data.name}` }),
    (it) => it.close(),
  );
  const queues = opening.adopt(openQueues(data, { connectionsMax: budget.queues, applicationName: `keelson ${data.name}`, log }), (it) =>
    it.close(),
  );
  const transact = createTransact({ db: database.db, now, wake: () => main().tell("wakeOutbox", {}) });

  const authStore = createAuthStore(database.db);
  const taskStore = createTaskStore(database.db);
  const executionStore = createExecutionStore(database.db);
  const sandboxClient = createSandboxClient(() => sandbox);
  const execute: Execute = (request, options) => sandboxClient.execute(request, options).catch(waitForSandbox);
  // What copies refuse they learn from the rows that this leaves.
  const keys = createKeyAuthority({ store: createApiKeyStore(database.db), revocations: { learn: () => undefined }, now });
  const leaveTeams = createLeaveTeams({ store: createTeamStore(database.db), keys });
  const exportStore = createExportStore(database.db);
  const scheduleStore = createScheduleStore(database.db);
  const { seal, keyring, vault } = opening.adopt(await openKeys({ ...data, db: database.db, now, log }), (it) => it.stop());
  const accountData = [
    taskAccountData(taskStore),
    scheduleAccountData(scheduleStore),
    exportAccountData(exportStore),
    sandboxAccountData(executionStore),
    valuesAccountData(createValueStore(database.db)),
    subscriptionAccountData(createSubscriptionStore(database.db)),
    secretAccountData(createSecretStore(database.db)),
    externalKeyAccountData(createExternalKeyStore(database.db)),
    openConnectionAccountData(database.db),
    openAuditAccountData(database.db),
    openAuthAccountData(database.db),
  ];
  const settings = queueTable(config.KEELSON_QUEUES);
  const bus = opening.adopt(
    openBus(data, { connectionsMax: Math.max(1, budget.events), applicationName: `keelson ${data.name} events`, log }),
    (it) => it.close(),
  );
  const eventHandlers = openEventHandlers({ db: database.db, bus, transact, seal, config, settings, now });
  const handlers = createHandlers({
    ...eventHandlers,
    sandbox: {
      store: executionStore,
      transact,
      execute,
      answer: (guest, call) => main().call("answerCall", { guest, call }, callMsMax),
      sign: (claims) => main().call("signReceipt", claims, callMsMax),
      now,
    },
    auth: { store: authStore, leaveTeams, accountData, transact },
    notify: {
      store: createNotifyStore(database.db),
      seal,
      developmentMailbox: config.KEELSON_DEV_MAILBOX,
      now,
    },
    rotate: openRotateDeps({
      ...{ db: database.db, seal, transact, now, log },
      vault: vault && { client: vault, ...vaultValues(config) },
      guard: createAddressGuard(config.KEELSON_WEBHOOK_NETWORKS),
      attemptsMax: settings.maintenance.attempts,
    }),
    rewrap: {
      keyring,
      keks: createKekStore(database.db),
      store: createSealedStore(database.db),
      transact,
      overlapMs: config.KEELSON_KEY_OVERLAP_SECONDS * 1_000,
      now,
    },
    runs: { execute: (request, signal) => execute(request, { signal }), now },
    exports: { store: exportStore, accountData, seal, now },
    imports: {
      schedules: scheduleStore,
      createSchedule: createCreateSchedule({
        store: scheduleStore,
        transact,
        contractOf: callableJobs(sandboxBounds(config)),
        schedulesMax: config.KEELSON_SCHEDULES_MAX,
      }),
      rename: createRename({ store: authStore, transact }),
    },
  });

  const worker = { id: newId("worker"), node: hostname(), thread: data.name };
  const wake = () => main().tell("wakeOutbox", {});
  const recorder = createTaskRecorder({ db: database.db, now, wake, log });
  const concurrency: Record<string, number> = {};
  const registry = createRegistryStore(database.db);
  const running = opening.adopt(startRunningTasks({ store: registry, worker, concurrency: () => concurrency, log }), (it) => it.stop());
  await running.started;
  opening.defer(() => recorder.idle());
  const process = createJobRunner({ handlers, recorder, running, settings, workerId: worker.id, now, log });
  const worked = new Set(
    jobContracts.map((contract) => contract.queue).filter((queue) => !sandboxQueues.has(queue) || config.KEELSON_ROLES.includes("sandbox")),
  );
  const consumers: QueueConsumer[] = [];
  let scaling: Running | undefined;
  const startConsuming = (queue: QueueName): ScaledConsumer => {
    const { process: measured, meter } = metered(process);
    const { concurrencyMin } = settings[queue];
    const consumer = queues.consume(queue, { concurrency: concurrencyMin }, measured);
    consumers.push(consumer);
    concurrency[queue] = concurrencyMin;
    const setConcurrency = (to: number) => {
      concurrency[queue] = to;
      consumer.setConcurrency(to);
    };
    return { queue, meter, setConcurrency };
  };
  const stopConsuming = async () => {
    await scaling?.stop();
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  };
  opening.defer(async () => {
    running.stopAll("shutdown");
    await stopConsuming();
  });

  const open = opening.move();
  return {
    attachSandbox: ({ port }) => {
      sandbox?.close("another sandbox thread took over");
      sandbox = openChannel<SandboxHost, SandboxCalls>(port, sandboxClient.methods);
    },
    consume: async () => {
      const scaled = [...worked].map(startConsuming);
      await Promise.all(consumers.map((consumer) => consumer.started));
      scaling = startScaling({ consumers: scaled, settings, store: createInsightStore(database.db), worker, transact, log });
    },
    drain: async ({ graceMs }) => {
      const graceOf = (queue: QueueName) => Math.min(settings[queue].shutdownGraceMs ?? graceMs, Math.max(0, graceMs - handBackMs));
      const ends = [...worked].map((queue) => setTimeout(() => running.stopAll("shutdown", queue), graceOf(queue)));
      await stopConsuming();
      for (const end of ends) clearTimeout(end);
    },
    stop: () => open.disposeAsync(),
  } satisfies QueueThread;
});

/** What a program asks ends before, with an answer or an error. */
const callMsMax = 60_000;

/** Before the grace is over: what still runs goes back to its queue. */
const handBackMs = 1_500;

/** A sandbox that starts again or is full is no fault of the program: its job waits, and no attempt is counted. */
function waitForSandbox(error: unknown): never {
  if (isOverBudget(error)) tryAgainIn(5_000);
  if (isSandboxAway(error)) tryAgainIn(500);
  throw error;
}
