import type { LimitDecision, LimitPolicy } from "./port.ts";

/** The state of a window after a request asked for units. */
export interface Outcome {
  readonly allowed: boolean;
  /** Units counted so far; a refused request is not counted. */
  readonly used: number;
  readonly resetMs: number;
}

export function toDecision(policy: LimitPolicy, { allowed, used, resetMs }: Outcome): LimitDecision {
  const resetSeconds = Math.min(Math.max(0, Math.ceil(resetMs / 1_000)), policy.windowSeconds);
  return { allowed, remaining: Math.max(0, policy.limit - used), resetSeconds };
}

/** Throws a RangeError: a fraction would be counted differently by each store, and a negative number would give units away. */
export function assertUnits(units: number): void {
  if (!Number.isSafeInteger(units) || units < 1) throw new RangeError(`units must be a whole number from 1, not ${units}`);
}
