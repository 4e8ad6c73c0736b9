/** What time a program sees, and what its receipt and its log lines tell. */
export interface GuestClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  elapsedMs(): number;
  /** The engine has done a fixed amount of work. */
  tick(): void;
  /** For time that was not the program's own. */
  skip(ms: number): void;
}

/** 2000-01-01T00:00:00Z: when every deterministic run begins. */
const virtualStartMs = 946_684_800_000;

export function createRealClock(): GuestClock {
  let startedAt = performance.now();
  return {
    nowMs: Date.now,
    elapsedMs: () => performance.now() - startedAt,
    tick: () => undefined,
    skip: (ms) => {
      startedAt += ms;
    },
  };
}

/** Moves with the work that is done, one millisecond for each look of the engine at its interrupt handler, and with nothing else. */
export function createVirtualClock(): GuestClock {
  let ticks = 0;
  return {
    nowMs: () => virtualStartMs + ticks,
    elapsedMs: () => ticks,
    tick: () => {
      ticks += 1;
    },
    skip: () => undefined,
  };
}
