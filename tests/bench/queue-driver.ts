import { z } from "zod";
import { newId } from "../../app/platform/ids.ts";
import { answerParent, argumentOf } from "./child.ts";
import { percentile } from "./harness.ts";
import { openKeelson, openRaw } from "./queue-sides.ts";

// One side of the queue bench: produces and consumes in this process.
const { side, ...address } = argumentOf(
  z.object({ side: z.enum(["keelson", "raw"]), substrate: z.enum(["redis", "postgres"]), url: z.string(), prefix: z.string() }),
);
const queue = side === "keelson" ? openKeelson(address) : openRaw(address);

const throughput = z.object({ jobs: z.number(), inFlight: z.number(), batch: z.number(), concurrency: z.number() });
const latency = z.object({ perSecond: z.number(), seconds: z.number(), concurrency: z.number() });

answerParent({
  /** Adds `jobs` one by one and again in batches, then works them all off. Rates in jobs per second. */
  throughput: async (input) => {
    const { jobs, inFlight, batch, concurrency } = throughput.parse(input);
    const addOne = await rateOf(jobs, () => together(inFlight, jobs, () => queue.addOne(makeJob(0))));
    const addBulk = await rateOf(jobs, () =>
      together(2, jobs / batch, () => queue.addMany(Array.from({ length: batch }, () => makeJob(0)))),
    );
    return { addOne, addBulk, process: await processRate(jobs * 2, concurrency) };
  },
  /** Adds at a steady rate while consuming; milliseconds from before the add to the start of the work. */
  latency: async (input) => {
    const { perSecond, seconds, concurrency } = latency.parse(input);
    const waits: number[] = [];
    const consumer = queue.consume(concurrency, (sentAt) => void waits.push(performance.now() - Number(sentAt)));
    await consumer.started;
    const adding: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let sent = 0; sent < perSecond * seconds; ) {
      await Bun.sleep(1);
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
      for (; sent < Math.min(due, perSecond * seconds); sent += 1) adding.push(queue.addOne(makeJob(performance.now())));
    }
    await Promise.all(adding);
    while (waits.length < adding.length) await Bun.sleep(5);
    await consumer.stop();
    const sorted = waits.toSorted((a, b) => a - b);
    return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
  },
});

function makeJob(input: number) {
  return { id: newId("task"), input };
}

async function rateOf(count: number, work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return count / ((performance.now() - startedAt) / 1_000);
}

/** Calls `once` `times` times, at most `lanes` at the same time. */
async function together(lanes: number, times: number, once: () => Promise<unknown>): Promise<void> {
  let left = times;
  const lane = async () => {
    while (left-- > 0) await once();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** From the first job's start to the last one's, so that connecting is not counted. */
async function processRate(jobs: number, concurrency: number): Promise<number> {
  let done = 0;
  let firstAt = 0;
  const all = Promise.withResolvers<number>();
  const consumer = queue.consume(concurrency, () => {
    if (done === 0) firstAt = performance.now();
    done += 1;
    if (done === jobs) all.resolve(performance.now());
  });
  const lastAt = await all.promise;
  await consumer.stop();
  return (jobs - 1) / ((lastAt - firstAt) / 1_000);
}
