import { and, asc, desc, eq, inArray, lt, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { eventDeliveries, eventDeliveryItems } from "../../../../db/schema/subscriptions.ts";

export type DeliveryRow = typeof eventDeliveries.$inferSelect;
export type DeliveryItem = typeof eventDeliveryItems.$inferSelect;
export type NewItem = typeof eventDeliveryItems.$inferInsert;
export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

export interface Ripe {
  readonly subscriptionId: string;
  readonly items: readonly Pick<DeliveryItem, "subscriptionId" | "run" | "cursor" | "lane">[];
}

export interface Attempted {
  readonly attempts: number;
  readonly responseStatus: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

interface Figures {
  readonly delivered: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

const errorLengthMax = 2_000;
/** Of one statement. */
const rowsMax = 1_000;

export function createDeliveryStore(db: Db) {
  return {
    /** Leaves out what was collected before; returns what was not, in order. */
    insertItems: async (items: readonly NewItem[], on: Queryable): Promise<DeliveryItem[]> => {
      const inserted: DeliveryItem[] = [];
      for (let from = 0; from < items.length; from += rowsMax)
        inserted.push(
          ...(await on
            .insert(eventDeliveryItems)
            .values(items.slice(from, from + rowsMax))
            .onConflictDoNothing()
            .returning()),
        );
      return inserted;
    },

    insert: async (row: typeof eventDeliveries.$inferInsert, items: Ripe["items"], on: Queryable): Promise<void> => {
      await on.insert(eventDeliveries).values(row);
      for (const { subscriptionId, run, cursor } of items)
        await on
          .update(eventDeliveryItems)
          .set({ deliveryId: row.id })
          .where(
            and(
              eq(eventDeliveryItems.subscriptionId, subscriptionId),
              eq(eventDeliveryItems.run, run),
              eq(eventDeliveryItems.cursor, cursor),
            ),
          );
    },

    /** What has waited for its company long enough, or has enough of it. Held until the transaction ends; another copy gets other rows. */
    lockRipe: async (limit: number, on: Queryable): Promise<(Ripe["items"][number] & { readonly size: number })[]> => {
      const rows = await on.execute(sql`
        with ripe as (
          select s.id, s.batch_size from event_subscriptions s
          where s.status = 'active' and exists (
            select 1 from event_delivery_items i where i.subscription_id = s.id and i.delivery_id is null
            having count(*) >= s.batch_size or min(i.created_at) <= clock_timestamp() - s.batch_wait_ms * interval '1 ms'
          )
        )
        select i.subscription_id as "subscriptionId", i.run, i.cursor, i.lane, ripe.batch_size as size
        from ripe join event_delivery_items i on i.subscription_id = ripe.id and i.delivery_id is null
        order by i.subscription_id, i.stored_at, i.run, i.cursor limit ${limit} for update of i skip locked`);
      return [...rows] as unknown as (Ripe["items"][number] & { readonly size: number })[];
    },

    find: async (id: string): Promise<DeliveryRow | undefined> => {
      const [row] = await db.select().from(eventDeliveries).where(eq(eventDeliveries.id, id));
      return row;
    },

    /** In the order in which they were published. */
    itemsOf: (deliveryIds: readonly string[], on: Queryable = db): Promise<DeliveryItem[]> =>
      deliveryIds.length === 0
        ? Promise.resolve([])
        : on
            .select()
            .from(eventDeliveryItems)
            .where(inArray(eventDeliveryItems.deliveryId, [...deliveryIds]))
            .orderBy(asc(eventDeliveryItems.storedAt), asc(eventDeliveryItems.cursor)),

    /** The subscriber has it: what was in it is forgotten. */
    delivered: async (id: string, { at, ...attempted }: Attempted & { readonly at: Date }, on: Queryable): Promise<void> => {
      await on
        .update(eventDeliveries)
        .set({ status: "delivered", endedAt: at, ...attempted })
        .where(eq(eventDeliveries.id, id));
      await on.update(eventDeliveryItems).set({ event: null }).where(eq(eventDeliveryItems.deliveryId, id));
    },

    attempted: async (id: string, { error, ...attempted }: Attempted, on: Queryable): Promise<void> => {
      await on
        .update(eventDeliveries)
        .set({ ...attempted, error: storable(error) })
        .where(and(eq(eventDeliveries.id, id), eq(eventDeliveries.status, "pending")));
    },

    died: async (id: string, { at, error, ...attempted }: Attempted & { readonly at: Date }, on: Queryable): Promise<boolean> => {
      const rows = await on
        .update(eventDeliveries)
        .set({ status: "dead", endedAt: at, ...attempted, error: storable(error) })
        .where(and(eq(eventDeliveries.id, id), eq(eventDeliveries.status, "pending")))
        .returning({ id: eventDeliveries.id });
      return rows.length > 0;
    },

    /** The delivery is no more; its events wait to be collected anew. */
    dissolve: async (id: string, on: Queryable): Promise<void> => {
      await on.update(eventDeliveryItems).set({ deliveryId: null }).where(eq(eventDeliveryItems.deliveryId, id));
      await on.delete(eventDeliveries).where(eq(eventDeliveries.id, id));
    },

    /** The newest first. */
    dead: (subscriptionId: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<DeliveryRow[]> =>
      db
        .select()
        .from(eventDeliveries)
        .where(
          and(
            eq(eventDeliveries.subscriptionId, subscriptionId),
            eq(eventDeliveries.status, "dead"),
            before ? lt(eventDeliveries.id, before) : undefined,
          ),
        )
        .orderBy(desc(eventDeliveries.id))
        .limit(limit),

    /** Pending again; returns those that were dead, with the lane of each. */
    revive: async (
      subscriptionId: string,
      { ids, limit }: { readonly ids: readonly string[] | undefined; readonly limit: number },
      on: Queryable,
    ): Promise<string[]> => {
      const dead = on
        .select({ id: eventDeliveries.id })
        .from(eventDeliveries)
        .where(
          and(
            eq(eventDeliveries.subscriptionId, subscriptionId),
            eq(eventDeliveries.status, "dead"),
            ids ? inArray(eventDeliveries.id, [...ids]) : undefined,
          ),
        )
        .limit(limit);
      const rows = await on
        .update(eventDeliveries)
        .set({ status: "pending", endedAt: null, attempts: 0 })
        .where(inArray(eventDeliveries.id, dead))
        .returning({ id: eventDeliveries.id });
      return rows.map(({ id }) => id);
    },

    setTask: async (id: string, taskId: string, on: Queryable): Promise<void> => {
      await on.update(eventDeliveries).set({ taskId }).where(eq(eventDeliveries.id, id));
    },

    /** Those whose task has ended, or is gone, without a word of it here, because somebody cancelled it, are dead. Returns how many. */
    abandon: async (): Promise<number> => {
      const rows = await db.execute(sql`
        update event_deliveries d set status = 'dead', ended_at = clock_timestamp(), error = coalesce(d.error, 'its task was ended')
        where d.status = 'pending' and d.created_at < clock_timestamp() - interval '1 minute'
          and not exists (select 1 from tasks t where t.id = d.task_id and t.status not in ('completed', 'failed', 'cancelled', 'dead'))
        returning d.id`);
      return rows.length;
    },

    counts: async (subscriptionId: string): Promise<Readonly<Record<"pending" | "delivered" | "dead", number>>> => {
      const rows = await db
        .select({ status: eventDeliveries.status, count: sql<number>`count(*)::int` })
        .from(eventDeliveries)
        .where(eq(eventDeliveries.subscriptionId, subscriptionId))
        .groupBy(eventDeliveries.status);
      return { pending: 0, delivered: 0, dead: 0, ...Object.fromEntries(rows.map(({ status, count }) => [status, count])) };
    },

    /** Of the last hour. */
    figures: async (subscriptionId: string): Promise<Figures> => {
      const rows = await db.execute(sql`
        with lately as (
          select status, attempts, ended_at, id from event_deliveries
          where subscription_id = ${subscriptionId} and coalesce(ended_at, created_at) > now() - interval '1 hour'
        ), took as (
          select extract(epoch from (l.ended_at - i.stored_at)) * 1000 as ms
          from lately l join event_delivery_items i on i.delivery_id = l.id where l.status = 'delivered'
        )
        select (select count(*)::int from lately where status = 'delivered') as delivered,
          (select coalesce(sum(attempts - case when status = 'delivered' then 1 else 0 end), 0)::int from lately) as errors,
          percentile_cont(0.5) within group (order by ms)::float8 as p50,
          percentile_cont(0.95) within group (order by ms)::float8 as p95,
          percentile_cont(0.99) within group (order by ms)::float8 as p99
        from took`);
      const [figures] = [...rows] as unknown as Figures[];
      return figures ?? { delivered: 0, errors: 0, p50: null, p95: null, p99: null };
    },

    /** What is not delivered and not dead. */
    lag: async (subscriptionId: string): Promise<{ readonly events: number; readonly ms: number }> => {
      const rows = await db.execute(sql`
        select count(*)::int as events, coalesce(extract(epoch from (clock_timestamp() - min(i.stored_at))) * 1000, 0)::float8 as ms
        from event_delivery_items i left join event_deliveries d on d.id = i.delivery_id
        where i.subscription_id = ${subscriptionId} and (d.id is null or d.status = 'pending')`);
      const [lag] = [...rows] as unknown as { readonly events: number; readonly ms: number }[];
      return lag ?? { events: 0, ms: 0 };
    },

    /** Returns how many went. */
    forget: async ({ deliveredHours, deadDays }: { readonly deliveredHours: number; readonly deadDays: number }): Promise<number> => {
      const rows = await db
        .delete(eventDeliveries)
        .where(
          sql`(status = 'delivered' and ended_at < now() - ${deliveredHours}::float8 * interval '1 hour')
            or (status = 'dead' and ended_at < now() - ${deadDays}::float8 * interval '1 day')`,
        )
        .returning({ id: eventDeliveries.id });
      return rows.length;
    },
  };
}

/** PostgreSQL keeps no NUL in text. */
function storable(error: string | null): string | null {
  return error === null ? null : error.replaceAll("\0", "").slice(0, errorLengthMax);
}
