import type { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import { isCursor } from "../../../platform/bus/cursor.ts";
import type { Bus, Cursor } from "../../../platform/bus/port.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import { replayJob } from "../jobs.ts";
import { subscriptionRedriven, subscriptionReplayed } from "../subscriptions/events.ts";
import type { deadDelivery, pageQuery, subscriptionStats } from "../subscriptions/schema.ts";
import type { SubscriptionCall, SubscriptionService } from "../subscriptions/service.ts";
import { createDeliveryTask } from "./make.ts";
import type { DeliveryItem, DeliveryRow, DeliveryStore } from "./store.ts";

export type DeliveryService = ReturnType<typeof createDeliveryService>;

export interface DeliveryDeps {
  readonly store: DeliveryStore;
  readonly subscriptions: Pick<SubscriptionService, "seen" | "locked">;
  readonly bus: Pick<Bus, "before" | "head" | "read">;
  readonly transact: Transact;
  readonly createTask: TaskProducer["create"];
}

type DeadDelivery = z.infer<typeof deadDelivery>;

const reviveBatch = 500;
const lookedThroughMax = 50_000;
const pageSize = 500;
/** An id says when it was made, and the store may have taken the event a little earlier by its own clock. */
const clockSkewMs = 60_000;

/** What a client may do with what is delivered: see how it goes, and have it sent again. */
export function createDeliveryService({ store, subscriptions, bus, transact, createTask }: DeliveryDeps) {
  /** The position before the event with this id. Throws `Problem` (`not_found`) when the log does not have it any more. */
  const beforeEvent = async (id: string): Promise<Cursor> => {
    const madeAt = /^evt_([0-9a-f]{12})[0-9a-f]{20}$/.exec(id)?.[1];
    let position = await bus.before(new Date(madeAt === undefined ? 0 : Number.parseInt(madeAt, 16) - clockSkewMs));
    for (let looked = 0; looked < lookedThroughMax; looked += pageSize) {
      const { events, next } = await bus.read({ after: position, limit: pageSize });
      const at = events.findIndex((event) => event.id === id);
      if (at >= 0) return events[at - 1]?.cursor ?? position;
      if (events.length === 0) break;
      position = next;
    }
    throw new Problem("not_found", { detail: `The event ${id.slice(0, 128)} is not in the log any more.` });
  };

  const positionOf = async (since: string): Promise<Cursor> => {
    if (isCursor(since)) return since;
    const time = /^\d{4}-\d\d-\d\dT/.test(since) ? Date.parse(since) : Number.NaN;
    return Number.isNaN(time) ? beforeEvent(since) : bus.before(new Date(time));
  };

  return {
    stats: async (actor: Actor, id: string): Promise<z.infer<typeof subscriptionStats>> => {
      const row = await subscriptions.seen(actor, id);
      const [deliveries, { delivered, errors, p50, p95, p99 }, lag] = await Promise.all([
        store.counts(id),
        store.figures(id),
        store.lag(id),
      ]);
      return {
        deliveries,
        perMinute: delivered / 60,
        errors,
        latencyMs: p50 === null || p95 === null || p99 === null ? null : { p50, p95, p99 },
        lag,
        ...(row.lastSuccessAt ? { lastSuccessAt: row.lastSuccessAt.toISOString() } : {}),
        ...(row.lastFailureAt ? { lastFailureAt: row.lastFailureAt.toISOString() } : {}),
        ...(row.lastError === null ? {} : { lastError: row.lastError }),
      };
    },

    deadLetters: async (
      actor: Actor,
      id: string,
      query: z.infer<typeof pageQuery>,
    ): Promise<{ data: DeadDelivery[]; nextCursor: string | null }> => {
      await subscriptions.seen(actor, id);
      const rows = await store.dead(id, { ...(query.cursor ? { before: query.cursor } : {}), limit: query.limit + 1 });
      const page = rows.slice(0, query.limit);
      const items = Map.groupBy(await store.itemsOf(page.map((row) => row.id)), ({ deliveryId }) => deliveryId);
      const data = page.map((row) => toDeadDelivery(row, items.get(row.id) ?? []));
      return { data, nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** Gives dead deliveries all their attempts again: those of `ids`, or all. Returns how many. */
    redrive: async ({ actor, origin }: SubscriptionCall, id: string, ids: readonly string[] | undefined): Promise<number> => {
      let redriven = 0;
      for (;;) {
        const some = await transact(async (unit) => {
          const of = await subscriptions.locked(unit, actor, id);
          if (of.status === "disabled") throw new Problem("conflict", { detail: "The subscription is disabled: make it active first." });
          const revived = await store.revive(id, { ids, limit: reviveBatch }, unit.tx);
          for (const deliveryId of revived) {
            const [first] = await store.itemsOf([deliveryId], unit.tx);
            const taskId = await createDeliveryTask(createTask, unit, { id: deliveryId, of, lane: first?.lane ?? 0 });
            await store.setTask(deliveryId, taskId, unit.tx);
          }
          const data = { redriven: revived.length, named: ids !== undefined };
          if (revived.length > 0)
            unit.publish(subscriptionRedriven, { subject: id, ...addressedTo(of), actorId: actor.userId, origin, data });
          return revived.length;
        });
        redriven += some;
        if (some < reviveBatch) return redriven;
      }
    },

    /** Sends again what the log holds from `since` (a time, an event's id, or a cursor) until now, as new deliveries. Throws `Problem` (`not_found`). */
    replay: async ({ actor, origin }: SubscriptionCall, id: string, since: string): Promise<{ readonly taskId: string }> => {
      await subscriptions.seen(actor, id);
      const [after, until] = [await positionOf(since), await bus.head()];
      return transact(async (unit) => {
        const of = await subscriptions.locked(unit, actor, id);
        if (of.status === "disabled") throw new Problem("conflict", { detail: "The subscription is disabled: make it active first." });
        const input = { subscriptionId: id, run: newId("delivery"), after, until };
        const owner = { ownerId: of.ownerId, ...(of.teamId ? { teamId: of.teamId } : {}) };
        const task = await createTask(unit, { contract: replayJob, input, ...owner, requestId: origin.requestId });
        const data = { since, taskId: task.id };
        unit.publish(subscriptionReplayed, { subject: id, ...addressedTo(of), actorId: actor.userId, origin, data });
        return { taskId: task.id };
      });
    },
  };
}

function toDeadDelivery(row: DeliveryRow, items: readonly DeliveryItem[]): DeadDelivery {
  return {
    id: row.id,
    attempts: row.attempts,
    ...(row.responseStatus === null ? {} : { responseStatus: row.responseStatus }),
    error: row.error ?? "",
    events: items.map(({ event }) => JSON.parse(event ?? "{}")),
    createdAt: row.createdAt.toISOString(),
    endedAt: (row.endedAt ?? row.createdAt).toISOString(),
  };
}
