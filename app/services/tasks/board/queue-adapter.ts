import { BaseAdapter } from "@bull-board/api/dist/queueAdapters/base.js";
import type {
  JobCleanStatus,
  JobCounts,
  JobStatus,
  QueueJob,
  QueueJobOptions,
  QueueMetrics,
  QueueWorker,
} from "@bull-board/api/typings/app";
import { Problem } from "../../../platform/errors.ts";
import type { Shown } from "./store.ts";

/** What Bull Board may see and do of one queue, for whoever has asked. */
export interface BoardQueue {
  readonly name: string;
  readonly description: string;
  counts(): Promise<JobCounts>;
  jobs(shown: Shown, from: number, to: number): Promise<QueueJob[]>;
  job(id: string): Promise<QueueJob | undefined>;
  log(id: string): Promise<string[]>;
  workers(): Promise<QueueWorker[]>;
  isPaused(): Promise<boolean>;
  pause(): Promise<unknown>;
  resume(): Promise<unknown>;
  add(input: unknown, options: { readonly delayMs?: number }): Promise<QueueJob>;
  /** Forgets dead letters. */
  purge(before: Date): Promise<unknown>;
}

const statuses = ["active", "waiting", "delayed", "paused", "completed", "failed"] as const satisfies readonly JobStatus[];
const latestMax = 50;

/** Bull Board's view of a queue of the record: BullMQ itself holds only what is about to run. */
export class TaskQueueAdapter extends BaseAdapter {
  readonly #queue: BoardQueue;

  constructor(queue: BoardQueue) {
    super("bullmq", { description: queue.description, allowCompletedRetries: false });
    this.#queue = queue;
  }

  getName = () => this.#queue.name;
  getStatuses = () => ["latest" as const, ...statuses];
  getJobStatuses = () => [...statuses];
  getJobCounts = () => this.#queue.counts();
  getJob = (id: string) => this.#queue.job(id);
  getJobLogs = (id: string) => this.#queue.log(id);
  override getWorkers = () => this.#queue.workers();
  isPaused = () => this.#queue.isPaused();
  pause = async () => void (await this.#queue.pause());
  resume = async () => void (await this.#queue.resume());

  getJobs = (asked: JobStatus[], from = 0, to = from + latestMax - 1): Promise<QueueJob[]> => {
    const [only] = asked;
    return this.#queue.jobs(only === undefined || asked.length > 1 ? "all" : shownAs(only), from, to);
  };

  addJob = (_name: string, data: unknown, { delay }: QueueJobOptions) =>
    this.#queue.add(data, delay === undefined || delay === 0 ? {} : { delayMs: delay });

  clean = async (status: JobCleanStatus, graceMs: number) => {
    if (status !== "failed") throw unsupported("Only dead letters can be cleaned away; what has ended otherwise goes by its age.");
    await this.#queue.purge(new Date(Date.now() - graceMs));
  };

  empty = () => Promise.reject(unsupported("A queue's waiting tasks belong to its users: cancel them one by one."));
  obliterate = () => Promise.reject(unsupported("The queues are part of the program and can't be removed."));
  promoteAll = () => Promise.reject(unsupported("Promote delayed tasks one by one."));
  setGlobalConcurrency = () => Promise.reject(unsupported("KEELSON_QUEUES sets the bounds; between them each worker scales itself."));
  getGlobalConcurrency = async () => null;
  getRedisInfo = async () => null;
  getMetrics = async (): Promise<QueueMetrics> => ({ meta: { count: 0, prevTS: 0, prevCount: 0 }, data: [], count: 0 });

  getJobSchedulers = async () => [];
  getJobSchedulersCount = async () => 0;
  removeJobScheduler = () => Promise.reject(schedulesAreElsewhere());
  updateJobScheduler = () => Promise.reject(schedulesAreElsewhere());
  runJobSchedulerNow = () => Promise.reject(schedulesAreElsewhere());
}

function shownAs(status: JobStatus): Shown {
  switch (status) {
    case "failed":
      return "unsuccessful";
    case "completed":
    case "active":
    case "waiting":
    case "delayed":
    case "paused":
      return status;
    case "prioritized":
    case "waiting-children":
      throw unsupported(`No task is ever ${status}.`);
    default:
      return status satisfies never;
  }
}

function unsupported(detail: string): Problem {
  return new Problem("conflict", { detail });
}

function schedulesAreElsewhere(): Problem {
  return unsupported("Schedules belong to their owners: see /v1/schedules.");
}
