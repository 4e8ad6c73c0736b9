import { bigint, boolean, integer, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { CapabilityName, DebugOptions, DebugReport, GuestError, GuestLog, Receipt } from "../../sandbox/execution.ts";
import { moment } from "../columns.ts";

export const executionStatuses = ["queued", "succeeded", "failed", "timeout", "out_of_memory", "killed"] as const;

/** What a program may ask of its host, within which bounds. */
export interface CapabilityGrants {
  readonly fetch?:
    | {
        /** Host names, of which `*.` stands for any below; with a port when it is not the scheme's own. */
        readonly hosts: readonly string[];
        readonly methods: readonly string[];
        readonly requestsMax: number;
        readonly responseBytesMax: number;
        readonly timeoutMs: number;
        /** Names of those that may be put into requests; absent in executions from before there were any. */
        readonly secrets?: readonly string[];
      }
    | undefined;
  readonly kv?: { readonly readOnly: boolean } | undefined;
  readonly events?: { readonly types: readonly string[] } | undefined;
  readonly log?: true | undefined;
}

/** One use of a capability. */
export interface CapabilityUse {
  readonly capability: CapabilityName;
  readonly method: string;
  /** What it was about: a URL without its query, a key, an event type. */
  readonly target: string;
  readonly ok: boolean;
  /** The name of the error. */
  readonly error?: string;
  readonly ms: number;
}

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
  language: text({ enum: ["javascript", "typescript"] }),
  deterministic: boolean().notNull().default(false),
  priority: integer().notNull().default(0),
  capabilities: json().$type<CapabilityGrants>(),
  debugOptions: json("debug_options").$type<DebugOptions>(),
  output: json().$type<unknown>(),
  error: json().$type<GuestError>(),
  logs: json().$type<readonly GuestLog[]>().notNull().default([]),
  receipt: json().$type<Receipt>(),
  debug: json().$type<DebugReport>(),
  /** Its receipt is to be signed and entered in the audit log. */
  audit: boolean().notNull().default(false),
  receiptSignature: text("receipt_signature"),
  calls: json().$type<readonly CapabilityUse[]>().notNull().default([]),
  createdAt: moment("created_at").notNull().defaultNow(),
  finishedAt: moment("finished_at"),
});

/** What programs keep between runs. */
export const sandboxValues = pgTable(
  "sandbox_values",
  {
    /** A team's id, or a user's. */
    tenant: text().notNull(),
    key: text().notNull(),
    /** JSON, as text: it may hold an escaped NUL. */
    value: text().notNull(),
    bytes: integer().notNull(),
    expiresAt: moment("expires_at"),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.key] })],
);
