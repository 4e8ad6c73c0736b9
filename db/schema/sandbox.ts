import { bigint, integer, json, pgTable, text } from "drizzle-orm/pg-core";
import type { GuestError, GuestLog, Receipt } from "../../sandbox/execution.ts";
import { moment } from "../columns.ts";

export const executionStatuses = ["queued", "succeeded", "failed", "timeout", "out_of_memory", "killed"] as const;

export const executions = pgTable("executions", {
  id: text().primaryKey(),
  ownerId: text("owner_id").notNull(),
  /** Null: it is the owner's own. */
  teamId: text("team_id"),
  taskId: text("task_id"),
  status: text({ enum: executionStatuses }).notNull(),
  code: text().notNull(),
  input: json().$type<unknown>(),
  timeoutMs: integer("timeout_ms").notNull(),
  memoryBytes: bigint("memory_bytes", { mode: "number" }).notNull(),
  seed: text(),
  output: json().$type<unknown>(),
  error: json().$type<GuestError>(),
  logs: json().$type<readonly GuestLog[]>().notNull().default([]),
  receipt: json().$type<Receipt>(),
  createdAt: moment("created_at").notNull().defaultNow(),
  finishedAt: moment("finished_at"),
});
