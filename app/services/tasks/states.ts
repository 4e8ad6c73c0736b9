import { taskStatuses } from "../../../db/schema/tasks.ts";

export type TaskStatus = (typeof taskStatuses)[number];

/** The one place that says how a task may move. Who has ended moves only when somebody asks for another try. */
const successors = {
  waiting: ["active", "delayed", "paused", "completed", "cancelled", "failed", "dead"],
  delayed: ["waiting", "paused", "cancelled"],
  active: ["active", "waiting", "delayed", "paused", "completed", "failed", "cancelled", "dead"],
  paused: ["waiting", "cancelled"],
  completed: [],
  failed: ["waiting"],
  cancelled: ["waiting"],
  dead: ["waiting"],
} as const satisfies Record<TaskStatus, readonly TaskStatus[]>;

export const endedWithoutSuccess = ["failed", "cancelled", "dead"] as const satisfies readonly TaskStatus[];
const ended = ["completed", ...endedWithoutSuccess] as const;

/** Whether a task with this status has its result. */
export function isFinal(status: TaskStatus): boolean {
  return ended.some((it) => it === status);
}

/** The statuses from which a task may go to `status`. */
export function predecessorsOf(status: TaskStatus): TaskStatus[] {
  return taskStatuses.filter((from) => successors[from].some((to) => to === status));
}

/** How a task ends that did not succeed: with several attempts among the dead letters, with one for its owner to see to. */
export function withoutSuccess(attemptsMax: number): "dead" | "failed" {
  return attemptsMax > 1 ? "dead" : "failed";
}
