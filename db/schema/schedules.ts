import { bigint, boolean, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

export const missedPolicies = ["skip", "once", "all"] as const;

/** When which queue gets which task. Exactly one of `cron` and `everyMs` is set. */
export const schedules = pgTable("schedules", {
  id: text().primaryKey(),
  ownerId: text("owner_id").notNull(),
  /** Null: it is the owner's own. */
  teamId: text("team_id"),
  name: text(),
  queue: text().notNull(),
  input: json().$type<unknown>().notNull(),
  cron: text(),
  everyMs: bigint("every_ms", { mode: "number" }),
  timezone: text().notNull().default("UTC"),
  missed: text({ enum: missedPolicies }).notNull().default("once"),
  paused: boolean().notNull().default(false),
  startsAt: moment("starts_at"),
  endsAt: moment("ends_at"),
  /** From where the ticks of an interval are counted. */
  anchorAt: moment("anchor_at").notNull(),
  /** Null while it waits for nothing: paused, or past its end. */
  nextRunAt: moment("next_run_at"),
  /** The newest tick that was dealt with: none up to it runs again. */
  lastTickAt: moment("last_tick_at"),
  lastRunAt: moment("last_run_at"),
  lastTaskId: text("last_task_id"),
  lastError: text("last_error"),
  createdAt: moment("created_at").notNull().defaultNow(),
});

/** One row per tick that ran: the primary key is what keeps a tick from running twice. */
export const scheduleTicks = pgTable(
  "schedule_ticks",
  {
    scheduleId: text("schedule_id").notNull(),
    tickAt: moment("tick_at").notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.scheduleId, table.tickAt] })],
);
