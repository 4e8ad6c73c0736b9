import type { Config } from "../app/config.ts";
import { defineGroup } from "../app/platform/bus/group/contract.ts";
import { runGroup } from "../app/platform/bus/group/run.ts";
import { createGroupStore } from "../app/platform/bus/group/store.ts";
import type { Bus, Running } from "../app/platform/bus/port.ts";
import type { Logger } from "../app/platform/logger.ts";
import type { Transact } from "../app/platform/outbox.ts";
import { startBatching } from "../app/services/events/deliveries/batch.ts";
import { createDeliveryStore } from "../app/services/events/deliveries/store.ts";
import { eventDeadLettered } from "../app/services/events/events.ts";
import { createSubscriptionStore } from "../app/services/events/subscriptions/store.ts";
import type { TaskProducer } from "../app/services/tasks/record/create.ts";
import type { Db } from "../db/client.ts";
import { openCollect } from "./event-handlers.ts";

export interface EventGroupParts {
  readonly db: Db;
  readonly bus: Bus;
  readonly transact: Transact;
  readonly config: Config;
  readonly createTask: TaskProducer["create"];
  readonly log: Logger;
}

/** Whatever is wrong with the database passes; an event must not be passed over because of it. */
const patient = [200, 1_000, ...Array.from({ length: 100 }, () => 5_000)];
const webhooks = defineGroup({ name: "webhooks", patterns: [">"], batch: { size: 500, waitMs: 0 }, retryAfterMs: patient });

/** The durable subscriptions in code, and what belongs to them: this copy works for those that no other one does. */
export function startEventGroups(parts: EventGroupParts): Running {
  const { db, bus, transact, createTask, log } = parts;
  const store = createGroupStore(db);
  const collector = openCollect(parts);
  const running: readonly Running[] = [
    runGroup({ bus, store, bury: createBury(parts), log }, webhooks, async (events) => {
      const wanting = await collector.wantingNow();
      if (wanting.length > 0) await collector.collect(wanting, events, "");
    }),
    startBatching({ store: createDeliveryStore(db), subscriptions: createSubscriptionStore(db), createTask, transact, log }),
  ];
  return {
    started: Promise.all(running.map(({ started }) => started)).then(() => undefined),
    stop: async () => {
      await Promise.all(running.map((it) => it.stop()));
    },
  };
}

function createBury({ db, transact }: Pick<EventGroupParts, "db" | "transact">): Parameters<typeof runGroup>[0]["bury"] {
  const store = createGroupStore(db);
  return (failure) =>
    transact(async (unit) => {
      const id = await store.bury(failure, unit.tx);
      const { group, event, attempts, error } = failure;
      // To be told that this could not be handled either would never end.
      if (event.type === eventDeadLettered.type) return;
      unit.publish(eventDeadLettered, { subject: id, data: { group, eventId: event.id, eventType: event.type, attempts, error } });
    });
}
