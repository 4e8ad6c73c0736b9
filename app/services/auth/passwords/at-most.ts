import { Problem } from "../../../platform/errors.ts";

/** Runs what it is given, as soon as there is room. */
export type Run = <T>(work: () => Promise<T>) => Promise<T>;

/** At most `runningMax` at once; the others wait in line. With `waitingMax` in the line throws `Problem` (`unavailable`). */
export function createAtMost(runningMax: number, waitingMax: number): Run {
  const waiting: (() => void)[] = [];
  let running = 0;

  const enter = async (): Promise<void> => {
    if (running < runningMax) {
      running += 1;
      return;
    }
    if (waiting.length >= waitingMax)
      throw new Problem("unavailable", { detail: "Too many secrets are being checked right now.", retryAfterSeconds: 1 });
    await new Promise<void>((resolve) => waiting.push(resolve));
  };

  /** Whoever waits takes over the place, so that nobody who has just come can slip in. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  };

  return async (work) => {
    await enter();
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
