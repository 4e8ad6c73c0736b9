import { bigint, boolean, integer, json, pgTable, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const rotationStrategies = ["immediate", "gradual", "manual"] as const;
export const rotationStatuses = ["pending", "overlapping", "completed", "rolled_back", "failed"] as const;
export const alphabets = ["base64url", "hex", "alphanumeric", "digits", "printable"] as const;
export const keyAlgorithms = ["ed25519", "ec-p256", "rsa-2048", "rsa-4096"] as const;

/** How the next value is made. */
export type Generator =
  | { readonly kind: "random"; readonly length: number; readonly alphabet: (typeof alphabets)[number]; readonly prefix: string }
  | { readonly kind: "key_pair"; readonly algorithm: (typeof keyAlgorithms)[number] }
  | { readonly kind: "webhook"; readonly url: string };

/** What the next value has to be like. */
export type Validator =
  | { readonly kind: "length"; readonly min: number; readonly max: number }
  | { readonly kind: "charset"; readonly alphabet: (typeof alphabets)[number] }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "differs"; readonly versions: number }
  | { readonly kind: "webhook"; readonly url: string };

export const secretPolicies = pgTable("secret_policies", {
  secretId: text("secret_id").primaryKey(),
  everyDays: integer("every_days").notNull(),
  notifyHoursBefore: integer("notify_hours_before").notNull(),
  strategy: text({ enum: rotationStrategies }).notNull(),
  overlapSeconds: integer("overlap_seconds").notNull(),
  retireOld: boolean("retire_old").notNull(),
  rollback: json().$type<{ readonly errors: number; readonly withinSeconds: number }>(),
  generator: json().$type<Generator>().notNull(),
  validators: json().$type<readonly Validator[]>().notNull(),
  webhookSecret: bytes("webhook_secret").notNull(),
  state: text({ enum: ["active", "rolled_back"] }).notNull(),
  nextAt: moment("next_at").notNull(),
  announcedFor: moment("announced_for"),
  dueToldFor: moment("due_told_for"),
  setBy: text("set_by").notNull(),
  createdAt: moment("created_at").notNull(),
  updatedAt: moment("updated_at").notNull(),
});

export const secretRotations = pgTable("secret_rotations", {
  id: text().primaryKey(),
  secretId: text("secret_id").notNull(),
  status: text({ enum: rotationStatuses }).notNull(),
  why: text({ enum: ["due", "asked"] }).notNull(),
  requestedBy: text("requested_by").notNull(),
  fromVersion: integer("from_version"),
  toVersion: integer("to_version"),
  overlapUntil: moment("overlap_until"),
  error: text(),
  createdAt: moment("created_at").notNull(),
  finishedAt: moment("finished_at"),
});

export const secretReports = pgTable("secret_reports", {
  id: bigint({ mode: "number" }).generatedAlwaysAsIdentity().primaryKey(),
  rotationId: text("rotation_id").notNull(),
  version: integer().notNull(),
  outcome: text({ enum: ["ok", "error"] }).notNull(),
  reportedBy: text("reported_by").notNull(),
  at: moment("at").notNull(),
});
