import { assertUnits, toDecision } from "./decision.ts";
import type { Limiter, LimitPolicy } from "./port.ts";

interface Window {
  used: number;
  readonly endsAt: number;
}

export interface MemoryLimiterOptions {
  /** About 200 bytes each. Beyond it the oldest windows are forgotten: under a flood of new keys, memory counts for more than exactness. */
  readonly windowsMax?: number;
}

/**
 * Counts in this process. Not `RateLimiterMemory` of rate-limiter-flexible, which keeps a timer per key and has no bound.
 * Consuming is synchronous underneath, so concurrent requests can't overrun a limit.
 */
export function createMemoryLimiter({ windowsMax = 100_000 }: MemoryLimiterOptions = {}): Limiter {
  const windows = new Map<string, Window>();

  return {
    consume: (policy, key, units = 1) => {
      assertUnits(units);
      const now = performance.now();
      const window = openWindow(policy, key, now);
      const allowed = window.used + units <= policy.limit;
      if (allowed) window.used += units;
      return toDecision(policy, { allowed, used: window.used, resetMs: window.endsAt - now });
    },
    reset: async (policy, key) => {
      windows.delete(nameOf(policy, key));
    },
    close: async () => windows.clear(),
  };

  function openWindow(policy: LimitPolicy, key: string, now: number): Window {
    const name = nameOf(policy, key);
    const current = windows.get(name);
    if (current !== undefined && current.endsAt > now) return current;
    // Deleted first so that it moves to the end: the map's order is then the order of opening.
    windows.delete(name);
    if (windows.size >= windowsMax) makeRoom(now);
    const fresh = { used: 0, endsAt: now + policy.windowSeconds * 1_000 };
    windows.set(name, fresh);
    return fresh;
  }

  /** Looks through everything only when full, and then frees a tenth, so the cost is spread over many openings. */
  function makeRoom(now: number): void {
    for (const [name, window] of windows) if (window.endsAt <= now) windows.delete(name);
    const keep = Math.floor(windowsMax * 0.9);
    for (const name of windows.keys()) {
      if (windows.size <= keep) break;
      windows.delete(name);
    }
  }
}

function nameOf(policy: LimitPolicy, key: string): string {
  return `${policy.name}\0${key}`;
}
