import type { JobState, QueueJob, QueueJobJson } from "@bull-board/api/typings/app";
import type { TaskStatus } from "../states.ts";
import type { TaskRow } from "../store.ts";

/** What the buttons of a job do. */
export interface JobVerbs {
  promote(id: string): Promise<unknown>;
  /** Ends what has not ended. */
  cancel(id: string): Promise<unknown>;
  retry(id: string): Promise<unknown>;
}

/** A task as Bull Board shows a job. */
export function toJob(row: TaskRow, verbs: JobVerbs): QueueJob {
  const json = toJson(row);
  return {
    opts: { delay: json.delay },
    toJSON: () => json,
    getState: async () => stateOf[row.status],
    promote: async () => void (await verbs.promote(row.id)),
    remove: async () => void (await verbs.cancel(row.id)),
    retry: async () => void (await verbs.retry(row.id)),
  };
}

/** Bull Board has no word for dead letters and cancelled tasks: they failed, and their error says how. */
const stateOf = {
  waiting: "waiting",
  delayed: "delayed",
  active: "active",
  paused: "paused",
  completed: "completed",
  failed: "failed",
  cancelled: "failed",
  dead: "failed",
} as const satisfies Record<TaskStatus, JobState>;

function toJson(row: TaskRow): QueueJobJson {
  const { createdAt, startedAt, finishedAt, availableAt, error } = row;
  return {
    id: row.id,
    name: row.job,
    progress: isShowable(row.progress) ? row.progress : 0,
    attemptsMade: row.attempts,
    timestamp: createdAt.getTime(),
    ...(startedAt ? { processedOn: startedAt.getTime() } : {}),
    processedBy: row.workerId,
    ...(finishedAt ? { finishedOn: finishedAt.getTime() } : {}),
    delay: availableAt ? Math.max(0, availableAt.getTime() - createdAt.getTime()) : 0,
    failedReason: error && row.status !== "completed" ? `${error.name}: ${error.message}` : "",
    stacktrace: [],
    data: row.input,
    returnvalue: row.result,
    priority: row.priority,
    opts: {
      attempts: row.attemptsMax,
      priority: row.priority,
      ...(row.timeoutMs === null ? {} : { timeoutMs: row.timeoutMs }),
      status: row.status,
      ownerId: row.ownerId,
      teamId: row.teamId,
      group: { id: row.groupKey },
    },
    ...(row.dedupeKey === null ? {} : { deduplicationId: row.dedupeKey }),
  };
}

function isShowable(progress: unknown): progress is string | boolean | number | object {
  return progress !== null && progress !== undefined;
}
