import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { SubscriptionStore } from "../subscriptions/store.ts";
import { type MakeDeliveryDeps, makeDelivery } from "./make.ts";
import type { DeliveryStore } from "./store.ts";

export interface BatchDeps extends MakeDeliveryDeps {
  readonly store: Pick<DeliveryStore, "insert" | "setTask" | "lockRipe">;
  readonly subscriptions: Pick<SubscriptionStore, "find">;
  readonly transact: Transact;
  readonly log: Logger;
}

const lookEveryMs = 200;
const itemsMax = 1_000;

/** Makes deliveries of events that waited: for their company, or for the end of a pause. */
export function startBatching(deps: BatchDeps): Running {
  const { store, subscriptions, transact, log } = deps;

  /** Returns how many events it found. */
  const look = (): Promise<number> =>
    transact(async (unit) => {
      const ripe = await store.lockRipe(itemsMax, unit.tx);
      for (const [id, items] of Map.groupBy(ripe, ({ subscriptionId }) => subscriptionId)) {
        const of = await subscriptions.find(id, unit.tx);
        const size = items[0]?.size ?? 1;
        for (let from = 0; of && from < items.length; from += size)
          await makeDelivery(deps, unit, { of, items: items.slice(from, from + size) });
      }
      return ripe.length;
    });

  return keepRunning({ name: "batches of webhooks", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      const found = await look();
      begun();
      if (found < itemsMax) await pause(lookEveryMs, signal);
    }
  });
}
