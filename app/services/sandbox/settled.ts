import type { ExecutionSummaryRow } from "./store.ts";

/** How a task ended that left no outcome of its program: it was cancelled, lost or failed before. */
export interface EndedTask {
  readonly id: string;
  readonly error: { readonly name: string; readonly message: string } | null;
  readonly finishedAt: Date;
}

/** Of these tasks, those that have ended without success. */
export type EndedTasks = (taskIds: readonly string[]) => Promise<readonly EndedTask[]>;

/**
 * Executions as they stand: one that never came to run is killed with its task. That is not written into its row, because whoever tries the task again
 * gives the execution another chance.
 */
export async function settled<Row extends ExecutionSummaryRow>(rows: readonly Row[], endedTasks: EndedTasks): Promise<Row[]> {
  const waiting = rows.flatMap(({ status, taskId }) => (status === "queued" && taskId !== null ? [taskId] : []));
  if (waiting.length === 0) return [...rows];
  const ended = new Map((await endedTasks(waiting)).map((task) => [task.id, task]));
  return rows.map((row) => {
    const task = row.status === "queued" && row.taskId !== null ? ended.get(row.taskId) : undefined;
    return task ? { ...row, status: "killed", error: task.error, finishedAt: task.finishedAt } : row;
  });
}
