import type { StopReason } from "../app/services/tasks/registry/running-tasks.ts";

/** Thrown into an attempt that is not wanted any more; nothing is recorded of it but what its reason asks for. */
export class Stopped extends Error {
  override readonly name = "Stopped";
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`the attempt was stopped: ${reason}`);
    this.reason = reason;
  }
}

/** Thrown into an attempt that takes too long. */
class TimedOut extends Error {
  override readonly name = "TimedOut";
}

/** How long a handler that was stopped has to end by itself before it is left behind. */
const lastMomentsMs = 500;

/** One attempt at a task, bounded in time and stoppable, whether its handler listens to the signal or not. */
export function createAttempt(timeoutMs: number) {
  const abort = new AbortController();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  const end = (error: Error, afterMs: number) => {
    abort.abort(error);
    setTimeout(() => ended.reject(error), afterMs);
  };

  return {
    signal: abort.signal,
    stop: (reason: StopReason): void => {
      if (!abort.signal.aborted) end(new Stopped(reason), lastMomentsMs);
    },
    /** Settles as `work` does; once stopped or out of time it rejects with the reason, soon, however long the work goes on. */
    run: async <T>(work: () => Promise<T>): Promise<T> => {
      const timer = setTimeout(() => end(new TimedOut(`the attempt took longer than ${timeoutMs} ms`), 0), timeoutMs);
      try {
        const value = await Promise.race([work(), ended.promise]);
        if (abort.signal.aborted) throw abort.signal.reason;
        return value;
      } catch (error) {
        throw abort.signal.aborted ? abort.signal.reason : error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
