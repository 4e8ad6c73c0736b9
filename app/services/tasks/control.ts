import type { Actor, RequestOrigin } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { addressedTo } from "../../platform/events.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { QueueName } from "../../platform/queue/catalogue.ts";
import type { Queues } from "../../platform/queue/port.ts";
import type { Can } from "../auth/can.ts";
import { taskChanged, taskControlled, type taskControls } from "./events.ts";
import { resultEntry, stateEntry } from "./record/entries.ts";
import { type TaskMove, taskRecord } from "./record/store.ts";
import { endedWithoutSuccess, predecessorsOf, type TaskStatus } from "./states.ts";
import type { TaskRow, TaskStore } from "./store.ts";

export interface TaskControlDeps {
  readonly store: Pick<TaskStore, "find">;
  readonly transact: Transact;
  readonly queues: Pick<Queues, "remove">;
  /** Tells the dispatcher that something waits. */
  readonly wake: (queue: QueueName) => void;
  readonly can: Can;
  readonly now: Now;
}

/** Who asks for it, and by which request. */
export interface TaskCall {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

export type TaskControl = ReturnType<typeof createTaskControl>;

/** From wherever the state machine allows it, unless the step says otherwise. */
type Step = Omit<TaskMove, "id" | "round" | "from"> & Partial<Pick<TaskMove, "from">>;

/**
 * What may be asked of a task from any copy. The record changes at once; whoever runs the task hears of it within a quarter of a second
 * (`registry/running-tasks.ts`) and can't write to it any more.
 */
export function createTaskControl({ store, transact, queues, wake, can, now }: TaskControlDeps) {
  const writable = async (actor: Actor, id: string): Promise<TaskRow> => {
    const row = await store.find(id);
    if (!row || !(await can(actor, "tasks:read", row))) throw new Problem("not_found", { detail: `There is no task ${id}.` });
    if (!(await can(actor, "tasks:write", row))) throw new Problem("forbidden", { detail: "Viewers of a team change nothing of it." });
    return row;
  };

  /** Takes the step unless the task's state forbids it (409). What waits in the queue for the old round is taken back. */
  const step = async (
    { actor, origin }: TaskCall,
    { id, control }: { readonly id: string; readonly control: (typeof taskControls)[number] },
    make: (row: TaskRow) => Step,
  ): Promise<TaskRow> => {
    const row = await writable(actor, id);
    const wanted = make(row);
    const moved = await transact(async (unit) => {
      const [taken] = await taskRecord.move([{ id, round: undefined, from: predecessorsOf(wanted.to), ...wanted }], unit.tx);
      if (!taken) return undefined;
      const { queue, status, lastSeq: seq } = taken;
      unit.publish(taskChanged, { subject: id, ...addressedTo(taken), data: { queue, status, seq } });
      const by = { actorId: actor.userId, origin };
      unit.publish(taskControlled, { subject: id, ...addressedTo(taken), ...by, data: { queue, control, from: row.status } });
      return taken;
    });
    const after = await store.find(id);
    if (!moved || !after) throw notAllowed(wanted.to, after?.status ?? row.status);
    if (wanted.to === "waiting") wake(moved.queue);
    else await queues.remove({ queue: moved.queue, taskId: id, round: row.round });
    return after;
  };

  return {
    /** Ends it as cancelled, whether it waits or runs. */
    cancel: (call: TaskCall, id: string) =>
      step(call, { id, control: "cancel" }, ({ attempts }) => {
        const error = { name: "Cancelled", message: "The task was cancelled." };
        return {
          to: "cancelled",
          again: true,
          finishedAt: now(),
          error,
          entries: [stateEntry("cancelled", attempts), resultEntry("cancelled", { error })],
        };
      }),

    /** Stops it where it is. What its handler has saved is kept; the attempt does not count. */
    pause: (call: TaskCall, id: string) =>
      step(call, { id, control: "pause" }, (row) => {
        const attempts = row.status === "active" ? Math.max(0, row.attempts - 1) : row.attempts;
        return { to: "paused", again: true, attempts, entries: [stateEntry("paused", attempts)] };
      }),

    /** Puts a paused task back among the waiting ones. */
    resume: (call: TaskCall, id: string) =>
      step(call, { id, control: "resume" }, ({ attempts }) => ({
        from: ["paused"],
        to: "waiting",
        entries: [stateEntry("waiting", attempts)],
      })),

    /** Lets a delayed task run as soon as its turn comes. */
    promote: (call: TaskCall, id: string) =>
      step(call, { id, control: "promote" }, ({ attempts }) => ({
        from: ["delayed"],
        to: "waiting",
        entries: [stateEntry("waiting", attempts)],
      })),

    /** Gives a task that ended without success all its attempts again. */
    retry: (call: TaskCall, id: string) => step(call, { id, control: "retry" }, () => retried),
  };
}

/** Of a task that has ended without success. */
export const retried = {
  from: endedWithoutSuccess,
  to: "waiting",
  again: true,
  afresh: true,
  entries: [stateEntry("waiting", 0)],
} as const satisfies Step;

function notAllowed(to: TaskStatus, status: TaskStatus): Problem {
  return new Problem("conflict", { detail: `The task is ${status}; from there it can't become ${to} this way.` });
}
