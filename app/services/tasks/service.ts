import type { z } from "zod";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import { Problem } from "../../platform/errors.ts";
import type { Can } from "../auth/can.ts";
import type { TaskEvent } from "./events.ts";
import type { taskQuery, task as taskSchema, taskSummary } from "./schema.ts";
import { isFinal } from "./states.ts";
import type { TaskRow, TaskStore, TaskSummaryRow } from "./store.ts";
import type { WatchTask } from "./watch.ts";

export type TaskSummary = z.infer<typeof taskSummary>;
export type TaskView = z.infer<typeof taskSchema>;
export type TaskService = ReturnType<typeof createTaskService>;

/** What a client may do with tasks. Somebody else's task does not exist for it; administrators see all. */
export function createTaskService(deps: { readonly store: TaskStore; readonly watch: WatchTask; readonly can: Can }) {
  const visible = async (actor: Actor, id: string): Promise<TaskRow> => {
    const row = await deps.store.find(id);
    if (!row || !(await deps.can(actor, "tasks:read", row))) throw new Problem("not_found", { detail: `There is no task ${id}.` });
    return row;
  };

  return {
    get: async (actor: Actor, id: string): Promise<TaskView> => toView(await visible(actor, id)),

    list: async (actor: Actor, query: z.infer<typeof taskQuery>): Promise<{ data: TaskSummary[]; nextCursor: string | null }> => {
      const rows = await deps.store.list({
        ...(actor.role === "admin" ? {} : ownershipOf(actor)),
        ...(query.queue ? { queue: query.queue } : {}),
        ...(query.status ? { status: query.status } : {}),
        ...(query.cursor ? { before: query.cursor } : {}),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      return { data: page.map(toSummary), nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

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

function toView(row: TaskRow): TaskView {
  return { ...toSummary(row), ...(row.status === "completed" ? { result: row.result } : {}) };
}

export function toSummary(row: TaskSummaryRow): TaskSummary {
  return {
    id: row.id,
    queue: row.queue as TaskView["queue"],
    status: row.status,
    progress: row.progress,
    attempts: row.attempts,
    ...(row.error && row.status !== "completed" ? { error: row.error } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.startedAt ? { startedAt: row.startedAt.toISOString() } : {}),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}
