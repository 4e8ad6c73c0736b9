/** How many jobs may wait in a queue for a worker. */
export interface Window {
  /** How many more there is room for when `waiting` are there. */
  room(waiting: number): number;
  /** What was handed on after that. */
  filled(added: number): void;
}

/** Workers never wait for the next look, and what comes last waits hardly longer than this for what came before it. */
const horizonMs = 50;
const sizeMax = 2_000;
/** Two looks closer together than this say nothing of how fast the workers are. */
const measureMs = 5;

/**
 * What waits in the queue can't be overtaken, so it should be little; but workers must never wait for the next look. So it is what they took lately in the time of the
 * horizon, and never less than `sizeMin`. While they take all that is there, it grows as fast as they turn out to be.
 */
export function createWindow(sizeMin: number, nowMs: () => number = () => performance.now()): Window {
  let size = sizeMin;
  /** Since the last measurement. */
  let since = nowMs();
  let before = 0;
  let added = 0;

  const measure = (waiting: number) => {
    const elapsed = nowMs() - since;
    if (elapsed < measureMs) return;
    const perMs = Math.max(0, before + added - waiting) / elapsed;
    size = Math.min(sizeMax, Math.max(sizeMin, Math.ceil(perMs * horizonMs)));
    since = nowMs();
    before = waiting;
    added = 0;
  };

  return {
    room: (waiting) => {
      measure(waiting);
      return Math.max(0, size - waiting);
    },
    filled: (count) => {
      added += count;
    },
  };
}
