import type { TaskUse } from "../../../../db/schema/tasks.ts";
import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";
import type { RegistryStore, Standing, WorkerIdentity } from "./store.ts";

/** Why an attempt is stopped from outside: the record says something else of its task, or this worker shuts down. */
export type StopReason = "superseded" | "shutdown";

export interface RunningTask {
  readonly id: string;
  readonly round: number;
  readonly queue: QueueName;
  /** As its handler has said; undefined before it says anything. */
  use(): TaskUse | undefined;
  stop(reason: StopReason): void;
}

/** What one worker runs. Reports that the worker lives, and stops what was cancelled, paused or given to somebody else. */
export interface RunningTasks extends Running {
  add(task: RunningTask): void;
  remove(task: RunningTask): void;
  /** Whether this round is still the task's, and nobody has ended it. */
  isCurrent(task: Pick<Standing, "id" | "round">): Promise<boolean>;
  /** What the task has saved since its round was handed on, if anything. */
  checkpointOf(id: string): Promise<unknown>;
  /** All that run, or those of one queue. */
  stopAll(reason: StopReason, queue?: QueueName): void;
}

export interface RunningTasksDeps {
  readonly store: RegistryStore;
  readonly worker: WorkerIdentity;
  /** How many jobs of each queue it would run at once right now. */
  readonly concurrency: () => Readonly<Record<string, number>>;
  readonly log: Logger;
}

const reportEveryMs = 2_000;
/** Every copy hears within this time what was asked of it, whichever copy was asked. */
const lookEveryMs = 250;

export function startRunningTasks({ store, worker, concurrency, log }: RunningTasksDeps): RunningTasks {
  const running = new Map<string, RunningTask>();

  const uses = () =>
    Object.fromEntries(
      [...running.values()].flatMap((task) => {
        const use = task.use();
        return use ? [[task.id, use] as const] : [];
      }),
    );

  const reporting = keepRunning({ name: "worker's reports", log, finish: () => store.left(worker.id) }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      await store.seen(worker, { concurrency: concurrency(), uses: uses() });
      begun();
      await pause(reportEveryMs, signal);
    }
  });

  const looking = keepRunning({ name: "watch over running tasks", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      const looked = [...running.values()];
      const standings = looked.length === 0 ? [] : await store.standingOf(looked.map(({ id }) => id));
      const current = new Map(standings.map((standing) => [standing.id, standing]));
      for (const task of looked) if (!goesOn(current.get(task.id), task.round)) task.stop("superseded");
      begun();
      await pause(lookEveryMs, signal);
    }
  });

  return {
    started: reporting.started,
    add: (task) => void running.set(task.id, task),
    remove: (task) => {
      if (running.get(task.id) === task) running.delete(task.id);
    },
    isCurrent: async ({ id, round }) => {
      const [standing] = await store.standingOf([id]);
      return goesOn(standing, round);
    },
    checkpointOf: store.checkpointOf,
    stopAll: (reason, queue) => {
      for (const task of running.values()) if (queue === undefined || task.queue === queue) task.stop(reason);
    },
    stop: async () => {
      await Promise.all([looking.stop(), reporting.stop()]);
    },
  };
}

/** Waiting counts as well: that a task has begun is written a little later. */
function goesOn(standing: Standing | undefined, round: number): boolean {
  return standing?.round === round && (standing.status === "waiting" || standing.status === "active");
}
