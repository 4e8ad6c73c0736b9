import { integer, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const taskStatuses = ["waiting", "delayed", "active", "paused", "completed", "failed", "cancelled", "dead"] as const;
export const taskEventTypes = ["state", "progress", "log", "result"] as const;

/** What a running task has in use, as far as its handler says. */
export interface TaskUse {
  /** Set aside for it; of a program, what it may take at most. */
  readonly memoryBytes?: number;
  /** Spent so far in this round. */
  readonly credits?: number;
}

/** One row per accepted task: what waits for its turn, and the record that says how it ended. */
export const tasks = pgTable("tasks", {
  id: text().primaryKey(),
  queue: text().notNull(),
  job: text().notNull(),
  ownerId: text("owner_id"),
  /** Null: it is the owner's own. */
  teamId: text("team_id"),
  /** Who shares the queue's workers with the others: the tasks of one group wait for each other. */
  groupKey: text("group_key").notNull(),
  /** How large the group's share is beside the others'. */
  weight: integer().notNull().default(1),
  /** Within the group; lower goes first. Follows from the queue, the owner's tier, the urgency and what the client gave. */
  priority: integer().notNull().default(500),
  /** What the client gave; null for tasks of the program. */
  ownPriority: integer("own_priority"),
  status: text({ enum: taskStatuses }).notNull(),
  input: json().$type<unknown>().notNull(),
  progress: json().$type<unknown>(),
  /** What the handler wants to find when it begins again. */
  checkpoint: json().$type<unknown>(),
  /** Begun so far; of the current round, once it is over. */
  attempts: integer().notNull().default(0),
  attemptsMax: integer("attempts_max").notNull().default(1),
  /** How often its worker was lost. */
  losses: integer().notNull().default(0),
  /** Grows each time it goes back to waiting, so that a worker of an earlier round can't write any more. */
  round: integer().notNull().default(0),
  timeoutMs: integer("timeout_ms"),
  /** When it is delayed: until when. */
  availableAt: moment("available_at"),
  dedupeKey: text("dedupe_key"),
  requestId: text("request_id"),
  /** Who runs it. */
  workerId: text("worker_id"),
  result: json().$type<unknown>(),
  error: json().$type<{ name: string; message: string }>(),
  lastSeq: integer("last_seq").notNull().default(1),
  createdAt: moment("created_at").notNull().defaultNow(),
  startedAt: moment("started_at"),
  finishedAt: moment("finished_at"),
});

/**
 * What happened to a task, numbered without holes: what its stream shows, and resumes from. Entry 1, that it waits, stands in the task itself.
 * A row holds entries that were written together, `seq` is the number of the first.
 */
export const taskEvents = pgTable(
  "task_events",
  {
    taskId: text("task_id").notNull(),
    seq: integer().notNull(),
    entries: json().$type<readonly { readonly type: (typeof taskEventTypes)[number]; readonly data?: unknown }[]>().notNull(),
    at: moment("at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.seq] })],
);

/** The threads that work the queues. One that has not been seen for a while is lost, and what it ran is run again. */
export const workers = pgTable("workers", {
  id: text().primaryKey(),
  node: text().notNull(),
  thread: text().notNull(),
  startedAt: moment("started_at").notNull().defaultNow(),
  seenAt: moment("seen_at").notNull().defaultNow(),
  /** How many jobs of each queue it would run at once right now. */
  concurrency: json().$type<Readonly<Record<string, number>>>().notNull().default({}),
  /** What each task that it runs has in use, by the task's id. */
  uses: json().$type<Readonly<Record<string, TaskUse>>>().notNull().default({}),
});

/** What an administrator has set for a queue. */
export const queues = pgTable("queues", {
  name: text().primaryKey(),
  pausedAt: moment("paused_at"),
});

/** What somebody has asked to have of all that is kept about them. */
export const dataExports = pgTable("data_exports", {
  id: text().primaryKey(),
  ownerId: text("owner_id").notNull(),
  taskId: text("task_id").notNull(),
  /** Compressed and sealed with the key-encryption key; null until it is written. */
  document: bytes(),
  /** Of the document as it is downloaded. */
  bytes: integer(),
  createdAt: moment("created_at").notNull().defaultNow(),
  finishedAt: moment("finished_at"),
  expiresAt: moment("expires_at").notNull(),
});
