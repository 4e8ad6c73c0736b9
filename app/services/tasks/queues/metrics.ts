import { Gauge, type Registry } from "prom-client";
import type { Logger } from "../../../platform/logger.ts";
import type { QueueView } from "./service.ts";

export interface QueueMetricsDeps {
  readonly metrics: Registry;
  readonly queues: { list(): Promise<readonly QueueView[]> };
  readonly log: Logger;
}

/** How the queues stand, of all copies together: every copy says the same. While the database can't be asked there are no numbers, and `keelson_queues_up` is 0. */
export function registerQueueMetrics({ metrics, queues, log }: QueueMetricsDeps): void {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name: `keelson_${name}`, help, labelNames, registers: [metrics], collect: () => refresh() });
  const tasks = gauge("queue_tasks", "Tasks by status, of those that have not ended and of the dead letters", ["queue", "status"]);
  const oldest = gauge("queue_oldest_waiting_seconds", "How long the first in line has waited", ["queue"]);
  const concurrency = gauge("queue_concurrency", "How many tasks all workers together would run at once, as scaled", ["queue"]);
  const paused = gauge("queue_paused", "1 while the queue is paused", ["queue"]);
  const ended = gauge("queue_ended_per_minute", "Tasks that ended, as a mean of the last five minutes", ["queue"]);
  const waits = gauge("queue_wait_seconds", "From acceptance to start, of the tasks that ended last", ["queue", "quantile"]);
  const runs = gauge("queue_run_seconds", "From start to end, of the tasks that ended last", ["queue", "quantile"]);
  const errors = gauge("queue_errors_last_hour", "Tasks that ended without success within the hour, by the error's name", [
    "queue",
    "name",
  ]);
  const up = gauge("queues_up", "1 while the queues can be asked", []);
  const all = [tasks, oldest, concurrency, paused, ended, waits, runs, errors];

  const show = (view: QueueView) => {
    const { name: queue } = view;
    for (const [status, count] of Object.entries(view.counts)) tasks.set({ queue, status }, count);
    oldest.set({ queue }, view.oldestWaitingMs / 1_000);
    concurrency.set({ queue }, view.concurrency.current);
    paused.set({ queue }, view.paused ? 1 : 0);
    ended.set({ queue }, view.throughput.perMinute5);
    for (const [series, latency] of [[waits, view.waitMs] as const, [runs, view.runMs] as const]) {
      if (!latency) continue;
      series.set({ queue, quantile: "0.5" }, latency.p50 / 1_000);
      series.set({ queue, quantile: "0.95" }, latency.p95 / 1_000);
      series.set({ queue, quantile: "0.99" }, latency.p99 / 1_000);
    }
    for (const [name, count] of Object.entries(view.errors)) errors.set({ queue, name }, count);
  };

  const look = async () => {
    const views = await queues.list().catch((error: unknown) => {
      log.warn({ err: error }, "the queues' metrics could not be read");
    });
    for (const it of all) it.reset();
    for (const view of views ?? []) show(view);
    up.set(views ? 1 : 0);
  };

  /** All series of one scrape ask at the same moment. */
  let refreshing: Promise<void> | undefined;
  const refresh = (): Promise<void> => {
    refreshing ??= look().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
}
