import { auditCollector, publicUrl, sandboxBounds, vaultValues } from "../app/config.ts";
import { createGroupStore } from "../app/platform/bus/group/store.ts";
import { systemNow } from "../app/platform/clock.ts";
import { connectionBudget } from "../app/platform/connection-budget.ts";
import { startHousekeeping } from "../app/platform/housekeeping.ts";
import { purgeIdempotencyKeys } from "../app/platform/idempotency/store.ts";
import { openKeys } from "../app/platform/keys/open.ts";
import { createTransact } from "../app/platform/outbox.ts";
import { startRelay } from "../app/platform/outbox-relay.ts";
import { queueTable } from "../app/platform/queue/overrides.ts";
import { openBus, openQueues } from "../app/platform/substrate.ts";
import { createMayAct } from "../app/services/auth/may-act.ts";
import { createAuthStore } from "../app/services/auth/store.ts";
import { createTeamStore } from "../app/services/auth/teams/store.ts";
import { callableJobs } from "../app/services/callable-jobs.ts";
import { eventCatalogue } from "../app/services/event-catalogue.ts";
import { createToCloudEvent } from "../app/services/events/cloud-event.ts";
import { createDeliveryStore } from "../app/services/events/deliveries/store.ts";
import { createSweepStore } from "../app/services/events/retention/store.ts";
import { createSweep } from "../app/services/events/retention/sweep.ts";
import { createForgetExecutions } from "../app/services/sandbox/retention.ts";
import { createExecutionStore } from "../app/services/sandbox/store.ts";
import { createValueStore } from "../app/services/sandbox/values/store.ts";
import { openAuditChores, startAuditKeepers } from "../app/services/secrets/audit/parts.ts";
import { openConnectionChores } from "../app/services/secrets/connections/parts.ts";
import { openSecretChores } from "../app/services/secrets/core.ts";
import { openRotationClock } from "../app/services/secrets/rotation/parts.ts";
import { startDispatcher } from "../app/services/tasks/dispatch/dispatcher.ts";
import { createExportStore } from "../app/services/tasks/exports/store.ts";
import { createInsightStore } from "../app/services/tasks/insight/store.ts";
import { startQueueWatch } from "../app/services/tasks/insight/watch.ts";
import { createLongRunnerStore } from "../app/services/tasks/long-runners/store.ts";
import { startLongRunnerWatch } from "../app/services/tasks/long-runners/watch.ts";
import { createTaskProducer } from "../app/services/tasks/record/create.ts";
import { createForgetEnded } from "../app/services/tasks/retention/forget.ts";
import { createRetentionStore } from "../app/services/tasks/retention/store.ts";
import { createScheduleStore } from "../app/services/tasks/schedules/store.ts";
import { startTicker } from "../app/services/tasks/schedules/ticker.ts";
import { createTaskStore } from "../app/services/tasks/store.ts";
import { openDatabase } from "../db/client.ts";
import { createEventForwarder } from "./event-forwarder.ts";
import { startEventGroups } from "./event-groups.ts";
import type { BusThread, MainForBus, ThreadData } from "./protocol.ts";
import { runThread } from "./thread-entry.ts";

/** Owns the blocking reads of the bus, the outbox relay, the dispatcher of tasks and the ticker of schedules. Knows nothing of HTTP or of what events mean. */
await runThread<ThreadData, MainForBus>(async ({ data, log, main }) => {
  await using opening = new AsyncDisposableStack();
  const budget = connectionBudget(data.config).bus;
  const database = opening.adopt(
    openDatabase({ url: data.databaseUrl, connectionsMax: budget.pool, applicationName: "keelson bus" }),
    (it) => it.close(),
  );
  const queues = opening.adopt(openQueues(data, { connectionsMax: budget.queues, applicationName: "keelson bus queues", log }), (it) =>
    it.close(),
  );
  const bus = opening.adopt(openBus(data, { connectionsMax: budget.events, applicationName: "keelson bus events", log }), (it) =>
    it.close(),
  );

  const watched = new Set<string>();
  const head = await bus.head();
  const forwarder = createEventForwarder({
    from: head,
    toCloudEvent: createToCloudEvent({ catalogue: eventCatalogue, publicUrl: publicUrl(data.config) }),
    forward: (events, through) => main().tell("events", { events, through }),
  });
  const tail = opening.adopt(
    bus.tail(head, (events) => {
      forwarder.take(events);
      const subjects = new Set(events.flatMap(({ subject, type }) => [subject ?? type, type].filter((topic) => watched.has(topic))));
      if (subjects.size > 0) main().tell("news", { subjects: [...subjects] });
    }),
    (it) => it.stop(),
  );
  await tail.started;
  const schedules = createScheduleStore(database.db);
  const settings = queueTable(data.config.KEELSON_QUEUES);
  const { config } = data;
  const relay = opening.adopt(startRelay({ db: database.db, bus, log }), (it) => it.stop());
  const transact = createTransact({ db: database.db, now: systemNow, wake: relay.wake });
  const sweep = createSweep({
    bus,
    store: createSweepStore(database.db),
    groups: createGroupStore(database.db),
    transact: createTransact({ db: database.db, now: systemNow, wake: () => undefined }),
    hours: config.KEELSON_EVENT_RETENTION_HOURS,
    overrides: config.KEELSON_EVENT_RETENTION ?? {},
    lengthMax: config.KEELSON_EVENT_LENGTH_MAX,
    now: systemNow,
  });
  opening.adopt(
    startHousekeeping({
      log,
      chores: [
        { name: "trim the event log", run: sweep },
        { name: "forget idempotency keys", run: () => purgeIdempotencyKeys(database.db, systemNow) },
        { name: "forget ticks", run: schedules.purgeTicks },
        { name: "forget tasks", run: createForgetEnded({ store: createRetentionStore(database.db), settings, now: systemNow }) },
        { name: "give up deliveries whose task was ended", run: createDeliveryStore(database.db).abandon },
        { name: "forget deliveries", run: () => createDeliveryStore(database.db).forget({ deliveredHours: 24, deadDays: 30 }) },
        {
          name: "forget effects of events",
          run: () => createGroupStore(database.db).forgetEffects(data.config.KEELSON_EVENT_RETENTION_HOURS * 2),
        },
        { name: "forget dead letters of groups", run: () => createGroupStore(database.db).forgetDeadLetters(30) },
        {
          name: "forget executions",
          run: createForgetExecutions({
            executions: createExecutionStore(database.db),
            values: createValueStore(database.db),
            days: data.config.KEELSON_SANDBOX_RETENTION_DAYS,
            now: systemNow,
          }),
        },
        { name: "forget exports", run: createExportStore(database.db).purgeExpired },
        ...openAuditChores(database.db),
        ...openConnectionChores(database.db),
        ...openSecretChores({ db: database.db, transact, now: systemNow }),
      ],
    }),
    (it) => it.stop(),
  );
  const dispatcher = opening.adopt(
    startDispatcher({ sql: database.sql, db: database.db, queues, settings, wakeRelay: relay.wake, now: systemNow, log }),
    (it) => it.stop(),
  );
  opening.adopt(startQueueWatch({ store: createInsightStore(database.db), settings, leads: () => dispatcher.leads, transact, log }), (it) =>
    it.stop(),
  );
  opening.adopt(
    startLongRunnerWatch({
      store: createLongRunnerStore(database.db),
      settings,
      leads: () => dispatcher.leads,
      transact,
      now: systemNow,
      log,
    }),
    (it) => it.stop(),
  );
  const { seal, vault } = opening.adopt(await openKeys({ ...data, db: database.db, now: systemNow, log }), (it) => it.stop());
  opening.adopt(
    startAuditKeepers({
      db: database.db,
      transact,
      seal,
      collector: auditCollector(config),
      leads: () => dispatcher.leads,
      now: systemNow,
      log,
    }),
    (it) => it.stop(),
  );
  const { findByDedupeKey } = createTaskStore(database.db);
  const tasks = createTaskProducer({ db: database.db, findByDedupeKey, queues: settings, wake: dispatcher.wake, now: systemNow });
  opening.adopt(
    startTicker({
      store: schedules,
      transact,
      createTask: tasks.create,
      contractOf: callableJobs(sandboxBounds(data.config)),
      mayAct: createMayAct({ users: createAuthStore(database.db), teams: createTeamStore(database.db) }),
      log,
    }),
    (it) => it.stop(),
  );

  opening.adopt(
    openRotationClock({
      ...{ db: database.db, seal, transact, createTask: tasks.create, now: systemNow, log },
      vault: vault && { client: vault, ...vaultValues(config) },
    }),
    (it) => it.stop(),
  );

  if (data.config.KEELSON_ROLES.includes("bus"))
    opening.adopt(startEventGroups({ db: database.db, bus, transact, config: data.config, createTask: tasks.create, log }), (it) =>
      it.stop(),
    );

  const open = opening.move();
  return {
    follow: ({ patterns }) => ({ since: forwarder.follow(patterns) }),
    watch: ({ subject }) => void watched.add(subject),
    unwatch: ({ subject }) => void watched.delete(subject),
    wakeOutbox: () => relay.wake(),
    wakeTasks: ({ queue }) => dispatcher.wake(queue),
    // What is in the outbox stays there for another copy, so there is nothing to wait for.
    drain: async () => undefined,
    stop: () => open.disposeAsync(),
  } satisfies BusThread;
});
