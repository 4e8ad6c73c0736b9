import type { Now } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Transact, Unit } from "../../platform/outbox.ts";
import type { JobContract, LogLine } from "../../platform/queue/job.ts";
import { taskChanged } from "./events.ts";
import { isFinal, type TaskStatus } from "./states.ts";
import type { TaskChanges, TaskEntry, TaskRow, TaskStore } from "./store.ts";

export interface TaskRequest<Input> {
  readonly contract: JobContract<string, Input>;
  readonly input: Input;
  /** Who sees it; absent for work of the system, which only administrators see. */
  readonly ownerId?: string;
  /** Whose it is, if not the owner's own. */
  readonly teamId?: string;
  readonly requestId?: string;
}

export interface TaskError {
  readonly name: string;
  readonly message: string;
}

export type TaskLifecycle = ReturnType<typeof createTaskLifecycle>;

/** How a task comes to be, moves and ends: each verb is one transition with its history entry and its event. */
export function createTaskLifecycle(deps: { readonly store: TaskStore; readonly transact: Transact; readonly now: Now }) {
  const { store, transact, now } = deps;

  const record = async (unit: Unit, row: TaskRow, entries: readonly TaskEntry[]) => {
    const events = await store.append(row, entries, unit.tx);
    const address = { subject: row.id, ...(row.ownerId ? { audience: row.ownerId } : {}) };
    for (const event of events) unit.publish(taskChanged, { ...address, data: event });
  };

  const move = async (unit: Unit, id: string, { to, ...changes }: TaskChanges & { readonly to: TaskStatus }) => {
    const row = await store.move(id, { to, changes, entries: isFinal(to) ? 2 : 1 }, unit.tx);
    if (row) await record(unit, row, isFinal(to) ? [stateEntry(row), resultEntry(row)] : [stateEntry(row)]);
    return row;
  };

  const end = async (id: string, to: "completed" | "failed", outcome: Pick<TaskChanges, "result" | "error">) => {
    await transact((unit) => move(unit, id, { to, ...outcome, finishedAt: now() }));
  };

  return {
    /** Part of the caller's unit of work: the task, its first history entry and its job are committed with the rest, or not at all. */
    create: async <Input>(unit: Unit, request: TaskRequest<Input>): Promise<TaskRow> => {
      const { contract, input } = request;
      const row = await store.insert(
        {
          id: newId("task"),
          queue: contract.queue,
          job: contract.name,
          ownerId: request.ownerId,
          teamId: request.teamId,
          status: "waiting",
          input,
          lastSeq: 1,
          createdAt: now(),
        },
        unit.tx,
      );
      await record(unit, row, [stateEntry(row)]);
      unit.enqueue({
        taskId: row.id,
        queue: contract.queue,
        name: contract.name,
        input,
        ...(request.requestId ? { requestId: request.requestId } : {}),
      });
      return row;
    },

    /** Marks the task active. `final` when it has ended already (a second delivery), `missing` when there is no such task. */
    begin: (id: string, attempt: number): Promise<"begun" | "final" | "missing"> =>
      transact(async (unit) => {
        const moved = await move(unit, id, { to: "active", attempts: attempt, startedAt: now() });
        if (moved) return "begun";
        const row = await store.find(id, unit.tx);
        return row ? (isFinal(row.status) ? "final" : "missing") : "missing";
      }),

    progress: (id: string, value: unknown): Promise<void> =>
      transact(async (unit) => {
        const row = await store.advance(id, { changes: { progress: value }, entries: 1 }, unit.tx);
        if (row) await record(unit, row, [{ type: "progress", data: value }]);
      }),

    lines: (id: string, lines: readonly LogLine[]): Promise<void> =>
      transact(async (unit) => {
        const row = await store.advance(id, { changes: {}, entries: lines.length }, unit.tx);
        const at = now().toISOString();
        if (row)
          await record(
            unit,
            row,
            lines.map(({ level, message }) => ({ type: "log", data: { level, message, at } })),
          );
      }),

    complete: (id: string, result: unknown) => end(id, "completed", { result }),
    fail: (id: string, error: TaskError) => end(id, "failed", { error }),

    /** Back to waiting, for another attempt. */
    putBack: (id: string, error?: TaskError): Promise<void> =>
      transact(async (unit) => {
        await move(unit, id, { to: "waiting", ...(error ? { error } : {}) });
      }),
  };
}

function stateEntry(row: TaskRow): TaskEntry {
  return { type: "state", data: { status: row.status, attempts: row.attempts } };
}

function resultEntry(row: TaskRow): TaskEntry {
  const outcome = row.status === "completed" ? { result: row.result } : { error: row.error };
  return { type: "result", data: { status: row.status, ...outcome } };
}
