import type { Process } from "../app/platform/queue/port.ts";

/** What runs in this thread of one queue, and how long it takes. */
export interface Meter {
  readonly active: number;
  /** Of the jobs that ended lately, the recent ones counting most; 0 before the first. */
  readonly runMs: number;
}

/** How much of the mean one more job is. */
const newest = 0.1;

/** A `process` that is measured while it works. */
export function metered(
  process: Process,
  nowMs: () => number = () => performance.now(),
): { readonly process: Process; readonly meter: Meter } {
  let active = 0;
  let runMs = 0;
  return {
    process: async (delivery) => {
      const begunAt = nowMs();
      active += 1;
      try {
        await process(delivery);
      } finally {
        active -= 1;
        const took = nowMs() - begunAt;
        runMs = runMs === 0 ? took : runMs + (took - runMs) * newest;
      }
    },
    meter: {
      get active() {
        return active;
      },
      get runMs() {
        return runMs;
      },
    },
  };
}
