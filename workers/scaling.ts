import { keepRunning, pause } from "../app/platform/bus/keep-running.ts";
import type { Running } from "../app/platform/bus/port.ts";
import type { Logger } from "../app/platform/logger.ts";
import type { Transact } from "../app/platform/outbox.ts";
import type { QueueName, QueueTable } from "../app/platform/queue/catalogue.ts";
import { queueScaled } from "../app/services/tasks/events.ts";
import type { InsightStore } from "../app/services/tasks/insight/store.ts";
import type { WorkerIdentity } from "../app/services/tasks/registry/store.ts";
import type { Meter } from "./meter.ts";
import { createScaler, type Scaler, type Scaling } from "./scaler.ts";

export interface ScaledConsumer {
  readonly queue: QueueName;
  setConcurrency(concurrency: number): void;
  readonly meter: Meter;
}

export interface ScalingDeps {
  readonly consumers: readonly ScaledConsumer[];
  readonly settings: QueueTable;
  readonly store: Pick<InsightStore, "lines" | "workers">;
  readonly worker: WorkerIdentity;
  readonly transact: Transact;
  readonly log: Logger;
}

const lookEveryMs = 1_000;

/**
 * Moves how many jobs this thread works at once, queue by queue, between the queue's bounds. Each thread decides for itself, from its part of what waits;
 * so no copy has to hear of the others' decisions, and one that dies leaves nothing to take back.
 */
export function startScaling({ consumers, settings, store, worker, transact, log }: ScalingDeps): Running {
  const scaled = consumers
    .filter(({ queue }) => settings[queue].concurrencyMin < settings[queue].concurrencyMax)
    .map((it): ScaledConsumer & { readonly scaler: Scaler } => ({
      ...it,
      scaler: createScaler(settings[it.queue], () => performance.now()),
    }));
  const names = scaled.map(({ queue }) => queue);

  const look = async () => {
    const [lines, workers] = await Promise.all([store.lines(names), store.workers()]);
    const changes: { readonly queue: QueueName; readonly change: Scaling }[] = [];
    for (const { queue, setConcurrency, meter, scaler } of scaled) {
      const line = lines.find((it) => it.queue === queue);
      const change = scaler.look({
        depth: Math.ceil((line?.waiting ?? 0) / Math.max(1, workers)),
        oldestWaitingMs: line?.oldestWaitingMs ?? 0,
        active: meter.active,
        runMs: meter.runMs,
      });
      if (!change) continue;
      setConcurrency(change.to);
      changes.push({ queue, change });
    }
    if (changes.length > 0) await tell(changes);
  };

  const tell = (changes: readonly { readonly queue: QueueName; readonly change: Scaling }[]) =>
    transact(async (unit) => {
      for (const { queue, change } of changes) {
        const { node, thread } = worker;
        log.debug({ queue, ...change }, "scaled");
        unit.publish(queueScaled, { subject: queue, data: { queue, node, thread, ...change } });
      }
    });

  return keepRunning({ name: "scaling", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      if (scaled.length > 0) await look();
      begun();
      await pause(lookEveryMs, signal);
    }
  });
}
