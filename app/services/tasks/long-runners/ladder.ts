import type { LongRunning } from "../../../platform/queue/catalogue.ts";

/** A task that runs for long, as the record has it. */
export interface LongRunner {
  /** Since this attempt began. */
  readonly elapsedMs: number;
  /** Whether it was warned of in this round. */
  readonly warned: boolean;
  /** How often it was paused for this. */
  readonly pauses: number;
  /** Whether its handler has saved where to go on from. */
  readonly canGoOn: boolean;
  /** How many times as long its owner's tier may take. */
  readonly patience: number;
}

export type Rung = "warn" | "pause" | "stop";

/** How often a task is paused, and may be resumed, before it is stopped instead. */
const pausesMax = 2;

/**
 * The next step for a task that runs for long, if it is time for one: a warning; a pause, if it can go on from where it is and was not paused too often already;
 * its end.
 */
export function rungOf(runner: LongRunner, { warnMs, pauseMs, stopMs }: LongRunning): Rung | undefined {
  const after = (ms: number | undefined) => ms !== undefined && runner.elapsedMs >= ms * runner.patience;
  if (after(stopMs)) return "stop";
  if (after(pauseMs) && runner.canGoOn) return runner.pauses < pausesMax ? "pause" : "stop";
  return after(warnMs) && !runner.warned ? "warn" : undefined;
}
