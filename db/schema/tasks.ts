import { integer, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

export const taskStatuses = ["waiting", "delayed", "active", "paused", "completed", "failed", "cancelled", "dead"] as const;
export const taskEventTypes = ["state", "progress", "log", "result"] as const;

/** One row per accepted task: the record that says how it ended. */
export const tasks = pgTable("tasks", {
  id: text().primaryKey(),
  queue: text().notNull(),
  job: text().notNull(),
  ownerId: text("owner_id"),
  /** Null: it is the owner's own. */
  teamId: text("team_id"),
  status: text({ enum: taskStatuses }).notNull(),
  input: json().$type<unknown>().notNull(),
  progress: json().$type<unknown>(),
  attempts: integer().notNull().default(0),
  result: json().$type<unknown>(),
  error: json().$type<{ name: string; message: string }>(),
  lastSeq: integer("last_seq").notNull().default(0),
  createdAt: moment("created_at").notNull().defaultNow(),
  startedAt: moment("started_at"),
  finishedAt: moment("finished_at"),
});

/** What happened to a task, numbered from 1 without holes: what its stream shows, and resumes from. */
export const taskEvents = pgTable(
  "task_events",
  {
    taskId: text("task_id").notNull(),
    seq: integer().notNull(),
    type: text({ enum: taskEventTypes }).notNull(),
    data: json().$type<unknown>().notNull(),
    at: moment("at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.seq] })],
);
