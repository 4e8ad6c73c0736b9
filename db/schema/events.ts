import { bigint, doublePrecision, integer, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** The types that administrators register, each version with its schema. */
export const eventTypes = pgTable(
  "event_types",
  {
    type: text().notNull(),
    version: integer().notNull(),
    /** JSON Schema 2020-12 of the data. */
    schema: json().$type<Readonly<Record<string, unknown>> | boolean>().notNull(),
    description: text().notNull(),
    audience: text({ enum: ["owner", "admins", "everybody"] }).notNull(),
    retentionHours: integer("retention_hours"),
    lengthMax: integer("length_max"),
    createdBy: text("created_by"),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.type, table.version] })],
);

/** A durable group of the bus: how far it has come, and which copy works for it until when. */
export const busGroups = pgTable("bus_groups", {
  name: text().primaryKey(),
  cursor: text().notNull(),
  owner: text(),
  leasedUntil: moment("leased_until").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  /** The event that a careful reader has in hand, and how often it had it. */
  trying: text(),
  tries: integer().notNull().default(0),
  patterns: text().array().notNull().default([]),
  handled: bigint({ mode: "number" }).notNull().default(0),
  failed: bigint({ mode: "number" }).notNull().default(0),
  /** Events a second, averaged over the last minute, as of `reportedAt`. */
  rate: doublePrecision().notNull().default(0),
  latencyMs: doublePrecision("latency_ms"),
  lastError: text("last_error"),
  reportedAt: moment("reported_at"),
});

/** What a group could not handle; the event is kept whole, as the log forgets it. */
export const eventDeadLetters = pgTable("event_dead_letters", {
  id: text().primaryKey(),
  groupName: text("group_name").notNull(),
  eventId: text("event_id").notNull(),
  type: text().notNull(),
  event: text().notNull(),
  attempts: integer().notNull(),
  error: text().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  /** Somebody wants it tried again. */
  redriveAt: moment("redrive_at"),
});

/** Which events a group's handler has taken effect for. */
export const eventEffects = pgTable(
  "event_effects",
  { groupName: text("group_name").notNull(), eventId: text("event_id").notNull(), at: moment("at").notNull().defaultNow() },
  (table) => [primaryKey({ columns: [table.groupName, table.eventId] })],
);

/** How far events of a type are gone although younger ones of others are kept; and, under names that no type has, how far was looked. */
export const eventSweeps = pgTable("event_sweeps", { type: text().primaryKey(), through: text().notNull() });
