import type { z } from "zod";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import { Problem } from "../../platform/errors.ts";
import type { QueueName } from "../../platform/queue/catalogue.ts";
import type { JobContract } from "../../platform/queue/job.ts";
import type { Can } from "../auth/can.ts";
import type { TaskCall, TaskControl } from "./control.ts";
import type { TaskEvent } from "./events.ts";
import { parseJobInput } from "./job-input.ts";
import type { TaskProducer, TaskRequest } from "./record/create.ts";
import type { activeTask, taskInput, taskQuery, task as taskSchema, taskSummary } from "./schema.ts";
import { isFinal } from "./states.ts";
import type { TaskRow, TaskStore, TaskSummaryRow } from "./store.ts";
import type { WatchTask } from "./watch.ts";

export type TaskSummary = z.infer<typeof taskSummary>;
export type TaskView = z.infer<typeof taskSchema>;
type NewTaskInput = z.infer<typeof taskInput>;
export type TaskService = ReturnType<typeof createTaskService>;

export interface TaskServiceDeps {
  readonly store: TaskStore;
  readonly watch: WatchTask;
  readonly can: Can;
  readonly control: TaskControl;
  readonly enqueue: TaskProducer["enqueueAll"];
  /** What a queue takes from clients; undefined for one that works only for the program itself. */
  readonly contractOf: (queue: QueueName) => JobContract | undefined;
  /** Throws `Problem` (`not_found`) for a name that no queue has. */
  readonly knownQueue: (name: string) => QueueName;
  /** Throws `Problem` (`queue_full`) when no more may wait in the queue. */
  readonly assertRoom: (queue: QueueName) => Promise<void>;
}

const activeMax = 1_000;

/** What a client may do with tasks. Somebody else's task does not exist for it; administrators see all. */
export function createTaskService(deps: TaskServiceDeps) {
  const { control } = deps;
  const visible = async (actor: Actor, id: string): Promise<TaskRow> => {
    const row = await deps.store.find(id);
    if (!row || !(await deps.can(actor, "tasks:read", row))) throw new Problem("not_found", { detail: `There is no task ${id}.` });
    return row;
  };
  const seenBy = (actor: Actor) => (actor.role === "admin" ? {} : ownershipOf(actor));
  const viewAfter = (verb: (call: TaskCall, id: string) => Promise<TaskRow>) => async (call: TaskCall, id: string) =>
    toView(await verb(call, id));

  const toRequest = ({ queue: name, input, ...options }: NewTaskInput, at: readonly PropertyKey[]) => {
    const queue = deps.knownQueue(name);
    const contract = deps.contractOf(queue);
    if (!contract) throw new Problem("not_found", { detail: `The queue ${queue} takes no tasks from clients.` });
    return { contract, input: parseJobInput(contract, input, at), ...given(options) };
  };

  const accept = async (actor: Actor, requests: readonly ReturnType<typeof toRequest>[], requestId: string): Promise<string[]> => {
    if (!(await deps.can(actor, "tasks:write", ownershipOf(actor))))
      throw new Problem("forbidden", { detail: "Viewers of a team run nothing for it." });
    for (const queue of new Set(requests.map(({ contract }) => contract.queue))) await deps.assertRoom(queue);
    const created = await deps.enqueue(requests.map((request) => ({ ...request, ...ownershipOf(actor), requestId })));
    return created.map(({ id }) => id);
  };

  return {
    create: async (actor: Actor, input: NewTaskInput, requestId: string): Promise<TaskView> => {
      const [id = ""] = await accept(actor, [toRequest(input, ["input"])], requestId);
      return toView(await visible(actor, id));
    },

    /** All of them or, when one is not as expected, none. The answer is in their order. */
    createMany: async (actor: Actor, inputs: readonly NewTaskInput[], requestId: string): Promise<TaskSummary[]> => {
      const requests = inputs.map((input, index) => toRequest(input, [index, "input"]));
      const ids = await accept(actor, requests, requestId);
      const rows = new Map((await deps.store.byIds(ids)).map((row) => [row.id, row]));
      return ids.flatMap((id) => rows.get(id) ?? []).map(toSummary);
    },

    get: async (actor: Actor, id: string): Promise<TaskView> => toView(await visible(actor, id)),

    list: async (actor: Actor, query: z.infer<typeof taskQuery>): Promise<{ data: TaskSummary[]; nextCursor: string | null }> => {
      const rows = await deps.store.list({
        ...seenBy(actor),
        ...(query.queue ? { queue: query.queue } : {}),
        ...(query.status ? { status: query.status } : {}),
        ...(query.since ? { since: new Date(query.since) } : {}),
        ...(query.q ? { text: query.q } : {}),
        ...(query.cursor ? { before: query.cursor } : {}),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      return { data: page.map(toSummary), nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** What runs right now, and where. */
    active: async (actor: Actor): Promise<z.infer<typeof activeTask>[]> => {
      const rows = await deps.store.active(seenBy(actor), activeMax);
      return rows.map(({ task, worker, tier, use }) => ({
        ...toSummary(task),
        ...(task.ownerId ? { ownerId: task.ownerId } : {}),
        ...(task.teamId ? { teamId: task.teamId } : {}),
        ...(tier ? { tier } : {}),
        ...use,
        ...(worker ? { node: worker.node, thread: worker.thread, seenAt: worker.seenAt.toISOString() } : {}),
      }));
    },

    cancel: viewAfter(control.cancel),
    pause: viewAfter(control.pause),
    resume: viewAfter(control.resume),
    retry: viewAfter(control.retry),

    /** The task's history after entry `afterSeq` and on, up to its result; undefined when that reader has seen it all. */
    history: async (
      actor: Actor,
      id: string,
      afterSeq: number,
    ): Promise<((signal: AbortSignal) => AsyncIterable<TaskEvent>) | undefined> => {
      const row = await visible(actor, id);
      if (afterSeq > row.lastSeq)
        throw new Problem("invalid_cursor", { detail: `The task has ${row.lastSeq} events so far; ${afterSeq} is none of them.` });
      if (isFinal(row.status) && afterSeq === row.lastSeq) return undefined;
      return (signal) => deps.watch(id, afterSeq, signal);
    },
  };
}

/** Without what was left out. */
function given(options: Omit<z.infer<typeof taskInput>, "queue" | "input">): Pick<TaskRequest, keyof typeof options> {
  const { priority, urgency, delayMs, timeoutMs, group, dedupeKey } = options;
  return {
    priority,
    ...(urgency === undefined ? {} : { urgency }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(group === undefined ? {} : { group }),
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  };
}

export function toView(row: TaskRow): TaskView {
  return { ...toSummary(row), ...(row.status === "completed" ? { result: row.result } : {}) };
}

function toSummary(row: TaskSummaryRow): TaskSummary {
  return {
    id: row.id,
    queue: row.queue as TaskView["queue"],
    status: row.status,
    progress: row.progress,
    attempts: row.attempts,
    attemptsMax: row.attemptsMax,
    priority: row.ownPriority ?? row.priority,
    effectivePriority: row.priority,
    group: row.groupKey,
    ...(row.dedupeKey === null ? {} : { dedupeKey: row.dedupeKey }),
    ...(row.error && row.status !== "completed" ? { error: row.error } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.availableAt ? { availableAt: row.availableAt.toISOString() } : {}),
    ...(row.startedAt ? { startedAt: row.startedAt.toISOString() } : {}),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}
