import type { Db } from "../../../db/client.ts";
import type { Feed } from "../../platform/bus/feed.ts";
import type { Now } from "../../platform/clock.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { QueueName, QueueTable } from "../../platform/queue/catalogue.ts";
import type { Queues } from "../../platform/queue/port.ts";
import type { Seal } from "../../platform/seal.ts";
import type { Can } from "../auth/can.ts";
import { createBoardService } from "./board/service.ts";
import { createBoardStore } from "./board/store.ts";
import { createTaskControl } from "./control.ts";
import { createExportService } from "./exports/service.ts";
import { createExportStore } from "./exports/store.ts";
import { createImportService } from "./imports/service.ts";
import { createLongRunningStore } from "./long-running/store.ts";
import { createQueueService } from "./queues/service.ts";
import { createQueueInsightStore } from "./queues/store.ts";
import { createTaskProducer } from "./record/create.ts";
import { createRetentionStore } from "./retention/store.ts";
import { createRunService } from "./runs/service.ts";
import type { ContractOf } from "./schedules/create.ts";
import { createScheduleService } from "./schedules/service.ts";
import { createScheduleStore } from "./schedules/store.ts";
import { createTaskService } from "./service.ts";
import { createTaskStore } from "./store.ts";
import { createSwarmService } from "./swarms/service.ts";
import { createTaskWatch } from "./watch.ts";

export interface TaskRecordDeps {
  readonly db: Db;
  readonly settings: QueueTable;
  readonly feed: Feed;
  /** Tells the dispatcher that something waits. */
  readonly wake: (queue: QueueName) => void;
  readonly now: Now;
}

export type TaskRecord = ReturnType<typeof openTaskRecord>;

/** What other services use of tasks: to make one, and to hear what becomes of it. It asks nobody's leave. */
export function openTaskRecord({ db, settings, feed, wake, now }: TaskRecordDeps) {
  const store = createTaskStore(db);
  const producer = createTaskProducer({ db, findByDedupeKey: store.findByDedupeKey, queues: settings, wake, now });
  return { store, producer, watch: createTaskWatch({ store, feed }) };
}

export interface TaskServicesDeps extends Omit<TaskRecordDeps, "feed"> {
  readonly record: TaskRecord;
  readonly queues: Queues;
  readonly transact: Transact;
  readonly can: Can;
  readonly contractOf: ContractOf;
  readonly schedulesMax: number;
  readonly seal: Seal;
}

/** What clients may do with tasks, and with what is made of them: one service for each set of routes. */
export function createTaskServices(deps: TaskServicesDeps) {
  const { db, settings, queues, transact, wake, can, contractOf, seal, now } = deps;
  const { store, producer, watch } = deps.record;
  const { create: createTask, enqueue } = producer;

  const queueService = createQueueService({
    settings,
    insight: createQueueInsightStore(db),
    store,
    retention: createRetentionStore(db),
    queues,
    transact,
    wake,
  });
  const { assertRoom } = queueService;
  const control = createTaskControl({ store, transact, queues, wake, can, now });
  const tasks = createTaskService({
    store,
    watch,
    can,
    control,
    enqueue: producer.enqueueAll,
    contractOf,
    knownQueue: queueService.known,
    assertRoom,
  });
  const longRunning = { store: createLongRunningStore(db), can, enqueue, assertRoom };
  return {
    tasks,
    queues: queueService,
    board: createBoardService({ store: createBoardStore(db), tasks: store, control, create: tasks.create, queues: queueService }),
    schedules: createScheduleService({
      store: createScheduleStore(db),
      transact,
      createTask,
      contractOf,
      can,
      schedulesMax: deps.schedulesMax,
    }),
    runs: createRunService(longRunning),
    swarms: createSwarmService(longRunning),
    imports: createImportService(longRunning),
    exports: createExportService({ store: createExportStore(db), transact, createTask, assertRoom, seal, now }),
  };
}
