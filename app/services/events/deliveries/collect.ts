import { compareCursors } from "../../../platform/bus/cursor.ts";
import { compilePatterns, type Matches } from "../../../platform/bus/pattern.ts";
import type { StoredEvent } from "../../../platform/bus/port.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { ToCloudEvent } from "../cloud-event.ts";
import { createMaySee, type MaySee } from "../readers.ts";
import type { SubscriptionRow, SubscriptionStore } from "../subscriptions/store.ts";
import { type MakeDeliveryDeps, makeDelivery } from "./make.ts";
import type { DeliveryItem, DeliveryStore, NewItem } from "./store.ts";

export interface CollectDeps extends MakeDeliveryDeps {
  readonly subscriptions: Pick<SubscriptionStore, "version" | "wanting">;
  readonly store: Pick<DeliveryStore, "insert" | "insertItems" | "setTask">;
  readonly teamsOf: (userId: string) => Promise<readonly string[]>;
  readonly toCloudEvent: ToCloudEvent;
  readonly transact: Transact;
}

export interface Wanting {
  readonly subscription: SubscriptionRow;
  readonly matches: Matches;
  readonly maySee: MaySee;
}

/** Roles and memberships change without the subscription's knowing. */
const knownMsMax = 2_000;

/** Finds what subscriptions want among the events of the log, and sees to it that it is delivered: once each, however often it is asked. */
export function createCollect(deps: CollectDeps) {
  const { subscriptions, store, transact, toCloudEvent } = deps;
  let known: { readonly version: string; readonly at: number; readonly wanting: readonly Wanting[] } | undefined;

  /** Asked after the events were read: whoever subscribed before they were published is in it. */
  const wantingNow = async (): Promise<readonly Wanting[]> => {
    const version = await subscriptions.version();
    if (known && known.version === version && performance.now() - known.at < knownMsMax) return known.wanting;
    const wanting: Wanting[] = [];
    const teams = new Map<string, readonly string[]>();
    for (const { subscription, role } of await subscriptions.wanting()) wanting.push(await wantingOf(subscription, role, teams));
    known = { version, at: performance.now(), wanting };
    return wanting;
  };

  const wantingOf = async (
    subscription: SubscriptionRow,
    role: "user" | "admin",
    teamsOfUsers = new Map<string, readonly string[]>(),
  ): Promise<Wanting> => {
    const isAdmin = subscription.asAdmin && role === "admin";
    const { ownerId: userId, teamId } = subscription;
    // As the caller was that made it: a team's key, or somebody with a session.
    const via = teamId === null ? ({ kind: "session", sessionId: "", version: 0 } as const) : keyOf(teamId);
    const teams = isAdmin ? [] : (teamsOfUsers.get(userId) ?? (await deps.teamsOf(userId)));
    if (!isAdmin) teamsOfUsers.set(userId, teams);
    return {
      subscription,
      matches: compilePatterns(subscription.patterns),
      maySee: createMaySee({ userId, role: isAdmin ? "admin" : "user", via }, teams),
    };
  };

  /** Those of one event at a time are under way at once; the others wait for their company, or for the end of a pause. */
  const collect = async (wanting: readonly Wanting[], events: readonly StoredEvent[], run: string): Promise<number> => {
    const items = wanting.flatMap((it) =>
      events.filter((event) => wants(it, event, run)).map((event) => toItem(it, event, { run, toCloudEvent })),
    );
    if (items.length === 0) return 0;
    const byId = new Map(wanting.map(({ subscription }) => [subscription.id, subscription]));
    return transact(async (unit) => {
      const fresh = await store.insertItems(items, unit.tx);
      for (const item of fresh) {
        const of = byId.get(item.subscriptionId);
        if (of && of.batchSize === 1 && of.status === "active") await makeDelivery(deps, unit, { of, items: [item] });
      }
      return fresh.length;
    });
  };

  return { wantingNow, wantingOf, collect };
}

function wants({ subscription, matches, maySee }: Wanting, event: StoredEvent, run: string): boolean {
  const isNew = run !== "" || compareCursors(event.cursor, subscription.fromCursor) > 0;
  return isNew && matches(event.type) && maySee(event) && !isOwnDoing(event);
}

/** Tasks that deliver are announced like all tasks: to deliver that too would never end. */
function isOwnDoing({ type, data }: StoredEvent): boolean {
  return type.startsWith("task.") && typeof data === "object" && data !== null && Reflect.get(data, "queue") === "webhook-delivery";
}

function toItem(
  { subscription }: Wanting,
  event: StoredEvent,
  { run, toCloudEvent }: { readonly run: string; readonly toCloudEvent: ToCloudEvent },
): NewItem & Pick<DeliveryItem, "lane"> {
  return {
    subscriptionId: subscription.id,
    run,
    cursor: event.cursor,
    eventId: event.id,
    type: event.type,
    event: JSON.stringify(toCloudEvent(event)),
    lane: Number(BigInt(Bun.hash(event.key ?? event.subject ?? event.id)) % BigInt(subscription.concurrency)),
    storedAt: new Date(event.storedAt),
  };
}

function keyOf(teamId: string) {
  return { kind: "api_key", keyId: "", version: 0, teamId, scopes: [], rateLimit: undefined } as const;
}
