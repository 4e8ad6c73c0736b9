import { type Config, publicUrl } from "../app/config.ts";
import type { Bus } from "../app/platform/bus/port.ts";
import type { Now } from "../app/platform/clock.ts";
import type { Transact } from "../app/platform/outbox.ts";
import { createAddressGuard } from "../app/platform/outgoing/address-guard.ts";
import type { QueueTable } from "../app/platform/queue/catalogue.ts";
import type { Seal } from "../app/platform/seal.ts";
import { createTeamStore } from "../app/services/auth/teams/store.ts";
import { eventCatalogue } from "../app/services/event-catalogue.ts";
import { createToCloudEvent } from "../app/services/events/cloud-event.ts";
import { createCollect } from "../app/services/events/deliveries/collect.ts";
import { createDeliveryStore } from "../app/services/events/deliveries/store.ts";
import { createSubscriptionStore } from "../app/services/events/subscriptions/store.ts";
import { createNotifyService } from "../app/services/notify/service.ts";
import { createNotifyStore } from "../app/services/notify/store.ts";
import { createTaskProducer, type TaskProducer } from "../app/services/tasks/record/create.ts";
import { createTaskStore } from "../app/services/tasks/store.ts";
import type { Db } from "../db/client.ts";
import type { HandlerDeps } from "./job-handlers.ts";

export interface EventHandlerParts {
  readonly db: Db;
  readonly bus: Bus;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly config: Config;
  readonly settings: QueueTable;
  readonly now: Now;
}

const hourMs = 3_600_000;

/** What the queue thread needs to deliver webhooks and to replay events. */
export function openEventHandlers(parts: EventHandlerParts): Pick<HandlerDeps, "deliveries" | "replays"> {
  const { db, bus, transact, seal, config, settings, now } = parts;
  const store = createDeliveryStore(db);
  const subscriptions = createSubscriptionStore(db);
  const createTask = openTaskProducer(parts).create;
  const { sendMail } = createNotifyService({ store: createNotifyStore(db), createTask, seal });
  return {
    deliveries: {
      store,
      subscriptions,
      transact,
      guard: createAddressGuard(config.KEELSON_WEBHOOK_NETWORKS),
      seal,
      sendMail,
      attemptsMax: settings["webhook-delivery"].attempts,
      disableAfterMs: config.KEELSON_WEBHOOK_DISABLE_AFTER_HOURS * hourMs,
      now,
    },
    replays: { bus, subscriptions, collector: openCollect({ ...parts, createTask }) },
  };
}

/** What it makes the dispatcher finds by itself. */
function openTaskProducer({ db, settings, now }: Pick<EventHandlerParts, "db" | "settings" | "now">): TaskProducer {
  const { findByDedupeKey } = createTaskStore(db);
  return createTaskProducer({ db, findByDedupeKey, queues: settings, wake: () => undefined, now });
}

/** Finds what subscriptions want: the bus thread as events come, the queue thread for what is sent again. */
export function openCollect({
  db,
  transact,
  config,
  createTask,
}: Pick<EventHandlerParts, "db" | "transact" | "config"> & { readonly createTask: TaskProducer["create"] }) {
  const teams = createTeamStore(db);
  return createCollect({
    store: createDeliveryStore(db),
    subscriptions: createSubscriptionStore(db),
    teamsOf: (userId) => teams.idsOf(userId, db),
    toCloudEvent: createToCloudEvent({ catalogue: eventCatalogue, publicUrl: publicUrl(config) }),
    transact,
    createTask,
  });
}
