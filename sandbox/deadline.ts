/** When a program has to stop. */
export interface Deadline {
  /** Asked by the engine while the program runs; once true, the program is over, whatever it does next. */
  expired(): boolean;
  /** Whether `expired` was ever true. Unlike an error's name, the program cannot forge this. */
  struck(): boolean;
  elapsedMs(): number;
}

export function createDeadline(timeoutMs: number): Deadline {
  const startedAt = performance.now();
  const endsAt = startedAt + timeoutMs;
  let struck = false;
  return {
    expired: () => {
      struck ||= performance.now() >= endsAt;
      return struck;
    },
    struck: () => struck,
    elapsedMs: () => performance.now() - startedAt,
  };
}
