import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { type QueueName, type QueueSettings, type QueueTable, queueNames } from "../../../platform/queue/catalogue.ts";
import { queueErrorRate, queueHighDepth, queueStuck, taskHighLoad } from "../events.ts";
import { type Alarm, createAlarm } from "./alarm.ts";
import type { InsightStore, QueueHealth } from "./store.ts";

export interface QueueWatchDeps {
  readonly store: InsightStore;
  readonly settings: QueueTable;
  /** Whether this copy is the one that looks. Another that takes over tells of what it finds anew. */
  readonly leads: () => boolean;
  readonly transact: Transact;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Fewer than this many say nothing of a rate. */
const endedMin = 20;

const kinds = [
  { event: queueHighDepth, measure: ({ waiting }: QueueHealth) => waiting, thresholdOf: "highDepth" },
  { event: queueStuck, measure: ({ oldestWaitingMs }: QueueHealth) => Math.round(oldestWaitingMs), thresholdOf: "stuckMs" },
  { event: taskHighLoad, measure: loadOf, thresholdOf: "highLoad" },
  { event: queueErrorRate, measure: ({ ended, failed }: QueueHealth) => (ended < endedMin ? 0 : failed / ended), thresholdOf: "errorRate" },
] as const;

/** Tells the bus when a queue is deep, stuck or failing, and when that is over. */
export function startQueueWatch({ store, settings, leads, transact, log, everyMs = 5_000 }: QueueWatchDeps): Running {
  const countMax = Object.fromEntries(queueNames.map((name) => [name, settings[name].highDepth])) as Record<QueueName, number>;
  let alarms = new Map<string, Alarm>();

  const alarmOf = (key: string, threshold: number): Alarm => {
    const alarm = alarms.get(key) ?? createAlarm(threshold);
    alarms.set(key, alarm);
    return alarm;
  };

  const look = async () => {
    const news = (await store.health(countMax)).flatMap((health) =>
      kinds.flatMap(({ event, measure, thresholdOf }) => {
        const { queue } = health;
        const threshold = settings[queue][thresholdOf];
        const value = measure(health, settings[queue]);
        const state = alarmOf(`${event.type} ${queue}`, threshold).look(value);
        return state ? [{ event, data: { queue, state, value, threshold } }] : [];
      }),
    );
    if (news.length === 0) return;
    for (const { event, data } of news) log.warn(data, `${event.type}: ${data.state}`);
    await transact(async (unit) => {
      for (const { event, data } of news) unit.publish(event, { subject: data.queue, data });
    });
  };

  return keepRunning({ name: "watch over the queues", log }, async ({ signal, begun }) => {
    alarms = new Map();
    while (!signal.aborted) {
      if (leads()) await look();
      else alarms = new Map();
      begun();
      await pause(everyMs, signal);
    }
  });
}

/** Of what may run at once, on all the workers there are. */
function loadOf({ active, workers }: QueueHealth, { activeMax = Number.POSITIVE_INFINITY, concurrencyMax }: QueueSettings): number {
  const places = Math.min(activeMax, workers * concurrencyMax);
  return places === 0 ? 0 : Math.min(1, active / places);
}
