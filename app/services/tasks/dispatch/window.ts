/** How many jobs may wait in a queue for a worker. */
export interface Window {
  /** How many more there is room for when `waiting` are there. */
  room(waiting: number): number;
  /** Whether the last room was used up: more was there to hand on. */
  filled(up: boolean): void;
}

const sizeMax = 2_000;
/** A window that was not the limit for this long begins anew: what comes next may take the workers longer. */
const forgetMs = 250;

/**
 * What waits in the queue can't be overtaken, so it should be little; but workers must never wait for the next look. The window doubles while the workers empty it
 * between two looks, and shrinks when they leave something lying.
 */
export function createWindow(sizeMin: number, nowMs: () => number = () => performance.now()): Window {
  let size = sizeMin;
  let full = false;
  let fullAt = nowMs();

  return {
    room: (waiting) => {
      if (nowMs() - fullAt > forgetMs) size = sizeMin;
      else if (full && waiting === 0) size = Math.min(size * 2, sizeMax);
      else if (waiting > size / 2) size = Math.max(1, Math.floor(size * 0.9));
      return Math.max(0, size - waiting);
    },
    filled: (up) => {
      full = up;
      if (up) fullAt = nowMs();
    },
  };
}
