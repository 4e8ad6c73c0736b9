export interface LimitPolicy {
  /** Appears in the `RateLimit-Policy` header. */
  readonly name: string;
  /** How many units one window allows. */
  readonly limit: number;
  readonly windowSeconds: number;
  /** Survives a restart and is shared by all copies even without Redis: for log-in attempts, not for ordinary requests. */
  readonly durable?: boolean;
}

export interface LimitDecision {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Seconds until the window starts anew. */
  readonly resetSeconds: number;
}

/** Counts units per key in fixed windows. */
export interface Limiter {
  /** Takes `units` (default 1; `RangeError` unless a whole number above 0) from the window of `key`. Rejects only when the store can't be reached; counting in process answers at once. */
  consume(policy: LimitPolicy, key: string, units?: number): LimitDecision | Promise<LimitDecision>;
  /** Forgets what `key` has used. */
  reset(policy: LimitPolicy, key: string): Promise<void>;
  close(): Promise<void>;
}
