import type { Db } from "../../../db/client.ts";
import type { Actor } from "../../platform/actor.ts";
import type { Feed } from "../../platform/bus/feed.ts";
import { createGroupStore } from "../../platform/bus/group/store.ts";
import type { Bus } from "../../platform/bus/port.ts";
import type { Now } from "../../platform/clock.ts";
import type { EventContract } from "../../platform/events.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { AddressGuard } from "../../platform/outgoing/address-guard.ts";
import type { Seal } from "../../platform/seal.ts";
import type { Can } from "../auth/can.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { createToCloudEvent } from "./cloud-event.ts";
import { createDeliveryService } from "./deliveries/service.ts";
import { createDeliveryStore } from "./deliveries/store.ts";
import { readIncoming } from "./incoming.ts";
import { createEventInsight } from "./insight/service.ts";
import { createTimings } from "./insight/timings.ts";
import { createSweepStore } from "./retention/store.ts";
import { createEventService } from "./service.ts";
import type { LiveEvents } from "./stream/live.ts";
import { createEventStreamService } from "./stream/service.ts";
import { createEventSources } from "./stream/source.ts";
import { createSubscriptionService } from "./subscriptions/service.ts";
import { createSubscriptionStore } from "./subscriptions/store.ts";
import { createEventTypeService } from "./types/service.ts";
import { createEventTypeStore } from "./types/store.ts";

export interface EventParts {
  readonly db: Db;
  readonly bus: Bus;
  readonly live: LiveEvents;
  readonly feed: Feed;
  readonly transact: Transact;
  readonly catalogue: ReadonlyMap<string, EventContract>;
  /** The teams that the user is a member of. */
  readonly teamsOf: (userId: string) => Promise<readonly string[]>;
  /** The types that change that. */
  readonly membershipTypes: readonly string[];
  readonly can: Can;
  readonly createTask: TaskProducer["create"];
  readonly seal: Seal;
  /** Whom webhooks may be sent to. */
  readonly guard: AddressGuard;
  readonly subscriptionsMax: number;
  readonly publicUrl: string;
  readonly customTypes: boolean;
  readonly streamsMax: number;
  /** Of all kinds, on this copy. */
  readonly openStreams: () => number;
  readonly now: Now;
}

/** The services behind the routes of events. */
export function createEventServices(parts: EventParts) {
  const { db, bus, live, feed, transact, catalogue, can, now } = parts;
  const toCloudEvent = createToCloudEvent(parts);
  const eventTypes = createEventTypeService({ store: createEventTypeStore(db), catalogue, transact, feed, custom: parts.customTypes });
  const publishing = createTimings();
  const timed = { publish: (...given: Parameters<Bus["publish"]>) => publishing.time(() => bus.publish(...given)), readBack: bus.readBack };
  const events = createEventService({ bus: timed, knownType: eventTypes.known, teamsOf: parts.teamsOf, can, toCloudEvent, now });
  const eventStreams = createEventStreamService({
    open: createEventSources({ bus, live, sweeps: createSweepStore(db), toCloudEvent }),
    maySeeOf: events.maySeeOf,
    feed,
    membershipTypes: parts.membershipTypes,
    streamsMax: parts.streamsMax,
  });
  const subscriptions = createSubscriptionService({
    store: createSubscriptionStore(db),
    bus,
    transact,
    can,
    guard: parts.guard,
    seal: parts.seal,
    subscriptionsMax: parts.subscriptionsMax,
    now,
  });
  const eventInsight = createEventInsight({
    bus,
    groups: createGroupStore(db),
    publishing,
    openStreams: parts.openStreams,
    toCloudEvent,
    transact,
    now,
  });
  const deliveries = createDeliveryService({ store: createDeliveryStore(db), subscriptions, bus, transact, createTask: parts.createTask });
  /** One event, as it comes in the plain form of POST /v1/events. */
  const publishOne = async (actor: Actor, event: unknown, requestId: string): Promise<string> => {
    const [id = ""] = await events.publish({ actor, requestId, traceparent: undefined }, readIncoming({ headers: {}, body: event }));
    return id;
  };
  return { publishOne, events, eventTypes, eventStreams, subscriptions, deliveries, eventInsight, publishing };
}
