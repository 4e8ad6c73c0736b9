import { z } from "zod";
import { percentile } from "./harness.ts";

export const rate = z.object({ perSecond: z.number(), cpuMicros: z.number() });
export const waits = z.object({ p50: z.number(), p95: z.number() });

/** `inFlight` lanes that begin the next as soon as the last has ended; how many `once` ended in the time. */
export async function inLanes(inFlight: number, seconds: number, once: () => Promise<unknown>) {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;
  let done = 0;
  const lane = async () => {
    while (performance.now() < endsAt) {
      await once();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { done, perSecond: (done * 1_000) / (performance.now() - startedAt) };
}

/** Milliseconds of each, sorted. */
export async function oneAfterTheOther(times: number, once: () => unknown): Promise<number[]> {
  const tookMs: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const before = performance.now();
    await once();
    tookMs.push(performance.now() - before);
  }
  return tookMs.sort((a, b) => a - b);
}

/** Arrivals at a steady rate, whatever has become of those before; milliseconds of each, sorted. */
export async function atSteadyRate(perSecond: number, seconds: number, once: () => Promise<unknown>): Promise<number[]> {
  const took: Promise<number[]>[] = [];
  const startedAt = performance.now();
  const count = Math.ceil(perSecond * seconds);
  while (took.length < count) {
    await Bun.sleep(1);
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond));
    while (took.length < due) took.push(oneAfterTheOther(1, once));
  }
  return (await Promise.all(took)).flat().sort((a, b) => a - b);
}

export function summary(sorted: readonly number[]): z.infer<typeof waits> {
  return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
}
