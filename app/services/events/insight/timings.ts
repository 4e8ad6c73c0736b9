export interface Timings {
  /** Runs `work` and keeps how long it took, unless it fails. */
  time<T>(work: () => Promise<T>): Promise<T>;
  /** Of the latest ones, in milliseconds; null when there is none. */
  quantiles(): { readonly p50: number; readonly p95: number; readonly p99: number } | null;
}

const keptMax = 1_000;

export function createTimings(): Timings {
  const kept: number[] = [];
  let next = 0;
  return {
    time: async (work) => {
      const startedAt = performance.now();
      const result = await work();
      kept[next] = performance.now() - startedAt;
      next = (next + 1) % keptMax;
      return result;
    },
    quantiles: () => {
      const sorted = kept.toSorted((a, b) => a - b);
      const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
      return sorted.length === 0 ? null : { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
    },
  };
}
