import { Gauge, type Registry } from "prom-client";
import type { Logger } from "../../../platform/logger.ts";
import type { EventInsight } from "./service.ts";
import type { Timings } from "./timings.ts";

export interface EventMetricsDeps {
  readonly metrics: Registry;
  readonly insight: Pick<EventInsight, "listGroups" | "length">;
  readonly publishing: Pick<Timings, "quantiles">;
  readonly openStreams: () => number;
  readonly log: Logger;
}

/** How the bus does: the log and the groups of all copies together, publishing and streams of this one. */
export function registerEventMetrics({ metrics, insight, publishing, openStreams, log }: EventMetricsDeps): void {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name: `keelson_event_${name}`, help, labelNames, registers: [metrics], collect: () => refresh() });
  const length = gauge("log_length", "Events in the log", []);
  const lag = gauge("group_lag_seconds", "The age of the oldest event that a durable group has not come to", ["group"]);
  const rate = gauge("group_rate", "Events a second that a durable group handles", ["group"]);
  const handled = gauge("group_handled", "Events that a durable group has handled", ["group"]);
  const failed = gauge("group_failed", "Events that a durable group could not handle", ["group"]);
  const dead = gauge("group_dead_letters", "Dead letters of a durable group", ["group"]);
  const latency = gauge("group_latency_seconds", "From the storing of an event to its being handled", ["group"]);
  const publish = gauge("publish_seconds", "Until the store has what clients publish at this copy", ["quantile"]);
  const streams = gauge("streams", "Event streams that are open at this copy", []);
  const all = [length, lag, rate, handled, failed, dead, latency, publish, streams];

  const look = async () => {
    const [events, groups] = await Promise.all([insight.length(), insight.listGroups()]);
    for (const it of all) it.reset();
    length.set(events);
    streams.set(openStreams());
    for (const [name, value] of Object.entries(publishing.quantiles() ?? {}))
      publish.set({ quantile: `0.${name.slice(1)}` }, value / 1_000);
    for (const { name: group, ...view } of groups) {
      lag.set({ group }, view.lag.ms / 1_000);
      rate.set({ group }, view.rate);
      handled.set({ group }, view.handled);
      failed.set({ group }, view.failed);
      dead.set({ group }, view.deadLetters);
      if (view.latencyMs !== undefined) latency.set({ group }, view.latencyMs / 1_000);
    }
  };

  /** All series of one scrape ask at the same moment. */
  let refreshing: Promise<void> | undefined;
  const refresh = (): Promise<void> => {
    refreshing ??= look()
      .catch((error: unknown) => log.warn({ err: error }, "the metrics of events could not be read"))
      .finally(() => {
        refreshing = undefined;
      });
    return refreshing;
  };
}
