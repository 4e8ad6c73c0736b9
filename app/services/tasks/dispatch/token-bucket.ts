import type { Rate } from "../../../platform/queue/catalogue.ts";

export interface TokenBucket {
  /** How many may start right now. */
  available(): number;
  take(count: number): void;
}

/** At most `rate.max` at once and in any `perMs` on average. `nowMs` is monotonic. */
export function createTokenBucket(rate: Rate | undefined, nowMs: () => number = () => performance.now()): TokenBucket {
  if (!rate) return { available: () => Number.POSITIVE_INFINITY, take: () => undefined };
  let tokens = rate.max;
  let at = nowMs();
  const refill = () => {
    const now = nowMs();
    tokens = Math.min(rate.max, tokens + ((now - at) / rate.perMs) * rate.max);
    at = now;
  };
  return {
    available: () => {
      refill();
      return Math.floor(tokens);
    },
    take: (count) => {
      tokens -= count;
    },
  };
}
