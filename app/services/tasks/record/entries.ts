import type { TaskStatus } from "../states.ts";
import type { TaskEntry } from "./store.ts";

/** The entry of a task's history that says how it stands. */
export function stateEntry(status: TaskStatus, attempts: number): TaskEntry {
  return { type: "state", data: { status, attempts } };
}

/** The last entry of a task that has ended. */
export function resultEntry(
  status: TaskStatus,
  outcome: { readonly result?: unknown; readonly error?: { readonly name: string; readonly message: string } },
): TaskEntry {
  return { type: "result", data: { status, ...outcome } };
}
