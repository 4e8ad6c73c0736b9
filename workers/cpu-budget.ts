import type { Now } from "../app/platform/clock.ts";

/** How much CPU time each owner's programs may use: a bucket that holds a minute's worth and is filled evenly. */
export interface CpuBudget {
  /** An owner who has used up what there was has to wait for more. */
  isSpent(owner: string): boolean;
  spend(owner: string, cpuMs: number): void;
}

const minuteMs = 60_000;
const ownersMax = 10_000;

export function createCpuBudget(msPerMinute: number, now: Now = () => new Date()): CpuBudget {
  const used = new Map<string, { ms: number; at: number }>();

  const usedBy = (owner: string, at: number): number => {
    const entry = used.get(owner);
    return entry ? Math.max(0, entry.ms - ((at - entry.at) * msPerMinute) / minuteMs) : 0;
  };

  return {
    isSpent: (owner) => usedBy(owner, now().getTime()) >= msPerMinute,
    spend: (owner, cpuMs) => {
      const at = now().getTime();
      used.set(owner, { ms: usedBy(owner, at) + cpuMs, at });
      // Most of so many have none left to pay back.
      if (used.size > ownersMax) for (const known of used.keys()) if (usedBy(known, at) === 0) used.delete(known);
    },
  };
}
