import type { z } from "zod";
import { type Actor, ownershipOf } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import { idAs } from "../../../platform/ids.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";
import type { JobContract } from "../../../platform/queue/job.ts";
import type { Can } from "../../auth/can.ts";
import { parseJobInput } from "../job-input.ts";
import type { TaskProducer } from "../record/create.ts";
import type { TaskRow, TaskSummaryRow } from "../store.ts";
import type { longRunningQuery } from "./schema.ts";
import type { LongRunningQueue, LongRunningStore } from "./store.ts";

export interface LongRunningDeps {
  readonly store: LongRunningStore;
  readonly can: Can;
  readonly enqueue: TaskProducer["enqueue"];
  /** Throws `Problem` (`queue_full`) when no more may wait in the queue. */
  readonly assertRoom: (queue: QueueName) => Promise<void>;
}

type LongRunningKindName = "run" | "swarm" | "import";

export interface LongRunningKind<Input, View> {
  readonly kind: LongRunningKindName;
  readonly contract: JobContract<string, Input> & { readonly queue: LongRunningQueue };
  readonly toView: (row: TaskRow) => View;
  /** While one of the owner's with this key is under way, that is the answer. */
  readonly dedupeKeyOf?: (input: Input) => string;
}

/** What a client may do with runs, with swarms, or with imports. Each is its task seen as more than that, so controlling it is controlling the task. */
export function createLongRunningService<Input, View>(deps: LongRunningDeps, of: LongRunningKind<Input, View>) {
  const { kind, contract, toView, dedupeKeyOf } = of;
  const { queue } = contract;

  const find = async (actor: Actor, taskId: string | undefined): Promise<View | undefined> => {
    const row = taskId === undefined ? undefined : await deps.store.find(queue, taskId);
    return row && (await deps.can(actor, "tasks:read", row)) ? toView(row) : undefined;
  };

  return {
    /** Throws `Problem`: `forbidden`, `payload_too_large`, `queue_full`. */
    create: async (actor: Actor, given: Input, requestId: string): Promise<View> => {
      if (!(await deps.can(actor, "tasks:write", ownershipOf(actor))))
        throw new Problem("forbidden", { detail: "Viewers of a team run nothing for it." });
      parseJobInput(contract, given);
      await deps.assertRoom(queue);
      const once = dedupeKeyOf ? { dedupeKey: dedupeKeyOf(given) } : {};
      const { id } = await deps.enqueue({ contract, input: given, ...ownershipOf(actor), ...once, requestId });
      const view = await find(actor, id);
      if (!view) throw new Problem("not_found", { detail: "It was deleted as soon as it was made." });
      return view;
    },

    get: async (actor: Actor, id: string): Promise<View> => {
      const view = await find(actor, idAs("task", { id, from: kind }));
      if (!view) throw new Problem("not_found", { detail: `There is no ${kind} ${id}.` });
      return view;
    },

    list: async (actor: Actor, { status, limit, cursor }: z.infer<typeof longRunningQuery>) => {
      const before = cursor === undefined ? undefined : idAs("task", { id: cursor, from: kind });
      if (cursor !== undefined && before === undefined)
        throw new Problem("invalid_cursor", { detail: `${cursor} is not the id of a ${kind}.` });
      const rows = await deps.store.list({
        ...(actor.role === "admin" ? {} : ownershipOf(actor)),
        queue,
        ...(status ? { status } : {}),
        ...(before ? { before } : {}),
        limit: limit + 1,
      });
      const data = rows.slice(0, limit).map((row) => toSummary(kind, row));
      return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
    },
  };
}

/** What can be said of it without what it has done so far. */
export function toSummary(kind: LongRunningKindName, row: TaskSummaryRow) {
  const { id: taskId, status, progress, attempts, error } = row;
  return {
    id: idAs(kind, { id: taskId, from: "task" }) ?? taskId,
    ...{ taskId, status, progress, attempts },
    ...(error && status !== "completed" ? { error } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.startedAt ? { startedAt: row.startedAt.toISOString() } : {}),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}
