/** When a program has to stop. */
export interface Deadline {
  /** Once true, the program is over, whatever it does next. Unlike an error's name, it cannot forge this. */
  expired(): boolean;
  leftMs(): number;
  /** For time that was not the program's own. */
  extend(byMs: number): void;
}

export function createDeadline(timeoutMs: number): Deadline {
  let endsAt = performance.now() + timeoutMs;
  return {
    expired: () => performance.now() >= endsAt,
    extend: (byMs) => {
      endsAt += byMs;
    },
    leftMs: () => Math.max(0, endsAt - performance.now()),
  };
}
