/** When a program has to stop. */
export interface Deadline {
  /** Once true, the program is over, whatever it does next. Unlike an error's name, it cannot forge this. */
  expired(): boolean;
  elapsedMs(): number;
}

export function createDeadline(timeoutMs: number): Deadline {
  const startedAt = performance.now();
  const endsAt = startedAt + timeoutMs;
  return {
    expired: () => performance.now() >= endsAt,
    elapsedMs: () => performance.now() - startedAt,
  };
}
