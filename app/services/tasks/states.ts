import { taskStatuses } from "../../../db/schema/tasks.ts";

export type TaskStatus = (typeof taskStatuses)[number];

/** The one place that says how a task may move. A status without successors is final. */
const successors = {
  waiting: ["active", "delayed", "cancelled", "failed"],
  delayed: ["waiting", "active", "cancelled"],
  active: ["active", "waiting", "delayed", "paused", "completed", "failed", "cancelled", "dead"],
  paused: ["active", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
  dead: [],
} as const satisfies Record<TaskStatus, readonly TaskStatus[]>;

export function isFinal(status: TaskStatus): boolean {
  return successors[status].length === 0;
}

/** The statuses from which a task may go to `status`. */
export function predecessorsOf(status: TaskStatus): TaskStatus[] {
  return taskStatuses.filter((from) => successors[from].some((to) => to === status));
}
