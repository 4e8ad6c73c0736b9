import type { ExecutionStatus } from "../../../sandbox/execution.ts";

export interface HostileProgram {
  readonly name: string;
  readonly code: string;
  /** The ways in which it may end. */
  readonly statuses: readonly ExecutionStatus[];
  /** What it may have to say if it succeeded. */
  readonly output?: unknown;
}

/** Which of the two it is depends on whether a busy machine gives the cell a turn within the grace time. */
export const slow = ["timeout", "killed"] as const;
export const stopped = ["timeout", "killed", "out_of_memory", "failed"] as const;
export const greedy = ["out_of_memory", "timeout", "killed"] as const;
