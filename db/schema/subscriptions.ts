import { boolean, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const subscriptionStatuses = ["active", "paused", "disabled"] as const;
const deliveryStatuses = ["pending", "delivered", "dead"] as const;

/** Who wants which events sent where. */
export const eventSubscriptions = pgTable("event_subscriptions", {
  id: text().primaryKey(),
  ownerId: text("owner_id").notNull(),
  /** Null: it is the owner's own. */
  teamId: text("team_id"),
  /** Made by an administrator, who sees everything; it does as long as the owner is one. */
  asAdmin: boolean("as_admin").notNull(),
  url: text().notNull(),
  patterns: text().array().notNull(),
  description: text().notNull(),
  concurrency: integer().notNull(),
  batchSize: integer("batch_size").notNull(),
  batchWaitMs: integer("batch_wait_ms").notNull(),
  status: text({ enum: subscriptionStatuses }).notNull(),
  disabledReason: text("disabled_reason"),
  /** Sealed: the signing secrets, the newest first. */
  secrets: bytes().notNull(),
  /** Events up to here are older than the subscription. */
  fromCursor: text("from_cursor").notNull(),
  /** When the deliveries began to fail without one that succeeded since. */
  failingSince: moment("failing_since"),
  lastSuccessAt: moment("last_success_at"),
  lastFailureAt: moment("last_failure_at"),
  lastError: text("last_error"),
  createdAt: moment("created_at").notNull().defaultNow(),
  updatedAt: moment("updated_at").notNull().defaultNow(),
});

/** One request to a subscriber, with one event or a batch, until it is answered. */
export const eventDeliveries = pgTable("event_deliveries", {
  id: text().primaryKey(),
  subscriptionId: text("subscription_id").notNull(),
  status: text({ enum: deliveryStatuses }).notNull(),
  taskId: text("task_id"),
  attempts: integer().notNull().default(0),
  responseStatus: integer("response_status"),
  error: text(),
  /** Of the last attempt. */
  durationMs: integer("duration_ms"),
  createdAt: moment("created_at").notNull().defaultNow(),
  endedAt: moment("ended_at"),
});

/** The events of deliveries. `run` is empty, or the replay that an event comes from. */
export const eventDeliveryItems = pgTable(
  "event_delivery_items",
  {
    subscriptionId: text("subscription_id").notNull(),
    run: text().notNull().default(""),
    cursor: text().notNull(),
    eventId: text("event_id").notNull(),
    type: text().notNull(),
    /** As CloudEvents JSON; forgotten once it is delivered. */
    event: text(),
    /** By which deliveries at once are divided. */
    lane: integer().notNull(),
    storedAt: moment("stored_at").notNull(),
    /** Null: waits for its company, or for the end of a pause. */
    deliveryId: text("delivery_id"),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.subscriptionId, table.run, table.cursor] })],
);
