import { constants, setPriority } from "node:os";

const { PRIORITY_BELOW_NORMAL: usual, PRIORITY_LOW: low } = constants.priority;

/** Keeps a cell's process behind the server, and one that starts, or has a long program, behind the other cells. */
export interface CellPriorities {
  ready(): void;
  /** Lowers the priority when the time has passed; call what it returns when the program has ended. */
  slowDownAfter(ms: number): () => void;
}

export function createPriorities(pid: number): CellPriorities {
  // Only root may give back what was taken.
  const mayRaise = process.getuid?.() === 0;
  set(pid, mayRaise ? low : usual);
  if (!mayRaise) return { ready: () => undefined, slowDownAfter: () => () => undefined };
  return {
    ready: () => set(pid, usual),
    slowDownAfter: (ms) => {
      let lowered = false;
      const timer = setTimeout(() => {
        lowered = true;
        set(pid, low);
      }, ms);
      return () => {
        clearTimeout(timer);
        if (lowered) set(pid, usual);
      };
    },
  };
}

function set(pid: number, priority: number): void {
  try {
    setPriority(pid, priority);
  } catch {
    // It may be gone already, or the system may not allow it; neither makes the cell less safe.
  }
}
