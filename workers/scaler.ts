/** What one worker thread knows of one queue's load. */
export interface Load {
  /** This thread's part of what waits. */
  readonly depth: number;
  readonly oldestWaitingMs: number;
  /** What runs here. */
  readonly active: number;
  /** How long a job takes, lately; 0 when none has ended yet. */
  readonly runMs: number;
}

export interface Scaling {
  readonly from: number;
  readonly to: number;
  readonly reason: "depth" | "age" | "idle";
}

export interface Scaler {
  readonly current: number;
  /** What to change now, if anything; from then on that is the current concurrency. */
  look(load: Load): Scaling | undefined;
}

export interface ScalerBounds {
  readonly concurrencyMin: number;
  readonly concurrencyMax: number;
}

/** What waits should be worked off within this time. */
const drainMs = 5_000;
const growEveryMs = 1_000;
/** So long must less be enough before there is less: starting again costs more than standing ready. */
const shrinkAfterMs = 15_000;
/** Less is enough when it is this part of the current. */
const shrinkBelow = 0.7;

/**
 * Moves the concurrency of one queue between its bounds. As many are needed as run, and as many as work off what waits within five seconds (Little's law).
 * It grows at once, to twice as many at most per second, and shrinks only when less was enough for a while, to the most that was needed in that time: so a load
 * that comes and goes finds the workers that it had.
 */
export function createScaler({ concurrencyMin: min, concurrencyMax: max }: ScalerBounds, nowMs: () => number): Scaler {
  let current = min;
  let changedAt = Number.NEGATIVE_INFINITY;
  let lessSince: number | undefined;
  let mostNeeded = min;

  const change = (to: number, reason: Scaling["reason"]): Scaling => {
    const from = current;
    current = to;
    changedAt = nowMs();
    lessSince = undefined;
    return { from, to, reason };
  };

  /** When one has waited too long, twice as many are needed, however short the jobs have been: they may be others now. Of what has not ended yet nobody knows how long it takes. */
  const needed = ({ depth, oldestWaitingMs, active, runMs }: Load): number => {
    const forDepth = Math.ceil((depth * (runMs || drainMs)) / drainMs);
    const forAge = oldestWaitingMs > drainMs ? Math.min(current * 2, active + depth) : 0;
    return clamp(Math.max(active + (depth > 0 ? 1 : 0), forDepth, forAge), min, max);
  };

  const shrink = (need: number): Scaling | undefined => {
    if (need >= current * shrinkBelow) {
      lessSince = undefined;
      return undefined;
    }
    if (lessSince === undefined) [lessSince, mostNeeded] = [nowMs(), need];
    mostNeeded = Math.max(mostNeeded, need);
    return nowMs() - lessSince >= shrinkAfterMs ? change(mostNeeded, "idle") : undefined;
  };

  return {
    get current() {
      return current;
    },
    look: (load) => {
      const need = needed(load);
      if (need <= current) return shrink(need);
      lessSince = undefined;
      if (nowMs() - changedAt < growEveryMs) return undefined;
      return change(Math.min(need, current * 2), load.oldestWaitingMs > drainMs ? "age" : "depth");
    },
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
