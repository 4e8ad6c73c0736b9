import type { BullBoardQueues, QueueWorker } from "@bull-board/api/typings/app";
import { type QueueName, queueNames } from "../../../platform/queue/catalogue.ts";
import type { TaskCall, TaskControl } from "../control.ts";
import type { QueueService } from "../queues/service.ts";
import type { TaskService } from "../service.ts";
import type { TaskRow, TaskStore } from "../store.ts";
import { type JobVerbs, toJob } from "./job.ts";
import { type BoardQueue, TaskQueueAdapter } from "./queue-adapter.ts";
import { type BoardStore, endedMax } from "./store.ts";

export interface BoardServiceDeps {
  readonly store: BoardStore;
  readonly tasks: Pick<TaskStore, "find" | "historyAfter">;
  readonly control: Pick<TaskControl, "cancel" | "promote" | "retry">;
  readonly create: TaskService["create"];
  readonly queues: Pick<QueueService, "get" | "pause" | "resume" | "purge">;
}

/** Bull Board's queues, each with what this administrator does to them. */
export type BoardService = (call: TaskCall) => BullBoardQueues;

/** The database counts its way to a page; whoever looks that far is better served by `GET /v1/tasks`. */
const offsetMax = 1_000_000;
/** Lines of a task's log that are shown. */
const logMax = 1_000;
/** A page of the board asks once for each queue, all at the same moment. */
const sharedMs = 1_000;

export function createBoardService({ store, tasks, control, create, queues }: BoardServiceDeps): BoardService {
  const ended = shared(() => store.ended(queueNames));
  const workers = shared(store.workers);

  const queueFor = (name: QueueName, call: TaskCall): BoardQueue => {
    const verbs: JobVerbs = {
      promote: (id) => control.promote(call, id),
      cancel: (id) => control.cancel(call, id),
      retry: (id) => control.retry(call, id),
    };
    const job = async (id: string) => {
      const row = await tasks.find(id);
      return row?.queue === name ? toJob(row, verbs) : undefined;
    };
    return {
      name,
      description: `Of what has ended, the last ${endedMax} are counted and shown.`,
      job,
      counts: async () => {
        const { counts } = await queues.get(name);
        const { completed = 0, unsuccessful = 0 } = (await ended()).find(({ queue }) => queue === name) ?? {};
        const { waiting = 0, active = 0, delayed = 0, paused = 0 } = counts;
        return { latest: 0, prioritized: 0, "waiting-children": 0, waiting, active, delayed, paused, completed, failed: unsuccessful };
      },
      jobs: async (shown, from, to) => {
        if (from > offsetMax) return [];
        const rows: TaskRow[] = await store.page(name, shown, { offset: from, limit: to - from + 1 });
        return rows.map((row) => toJob(row, verbs));
      },
      log: async (id) => {
        const { events } = (await job(id)) ? await tasks.historyAfter(id, 0, logMax) : { events: [] };
        return events.flatMap(({ type, data }) => (type === "log" ? [JSON.stringify(data)] : []));
      },
      workers: async () => (await workers()).flatMap((it): QueueWorker[] => (it.concurrency[name] ? [toWorker(it)] : [])),
      isPaused: async () => (await queues.get(name)).paused,
      pause: () => queues.pause(call, name),
      resume: () => queues.resume(call, name),
      purge: (before) => queues.purge(call, name, before),
      add: async (input, options) => {
        const { id } = await create(call.actor, { queue: name, input, priority: 500, ...options }, call.origin.requestId);
        const made = await job(id);
        if (!made) throw new Error(`task ${id} is not there`);
        return made;
      },
    };
  };

  return (call) => new Map(queueNames.map((name) => [name, new TaskQueueAdapter(queueFor(name, call))]));
}

function toWorker({ id, node, thread, startedAt }: Awaited<ReturnType<BoardStore["workers"]>>[number]): QueueWorker {
  return { id, name: `${node} ${thread}`, addr: node, age: Math.round((Date.now() - startedAt.getTime()) / 1_000) };
}

/** One look for all who ask within a second. */
function shared<T>(look: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (!last || performance.now() - last.at > sharedMs) last = { at: performance.now(), answer: look() };
    return last.answer;
  };
}
