import { boolean, integer, json, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const versionStates = ["live", "deleted", "destroyed"] as const;
export const approvalActions = ["read", "write", "destroy", "unmark"] as const;
export const requestStatuses = ["pending", "approved", "denied", "used", "expired"] as const;

/** Another secret that a value refers to: of the same tenant, or the system's. */
export interface SecretReference {
  readonly system: boolean;
  readonly name: string;
  readonly field?: string;
}

/** What is known of a secret besides its value. */
export const secrets = pgTable("secrets", {
  id: text().primaryKey(),
  /** A user's or a team's id, or `system`. */
  tenant: text().notNull(),
  name: text().notNull(),
  labels: jsonb().$type<Readonly<Record<string, string>>>().notNull(),
  /** The newest ever given; it only goes up. */
  currentVersion: integer("current_version").notNull(),
  maxVersions: integer("max_versions").notNull(),
  /** Whatever is done with it needs a second person. */
  approvalRequired: boolean("approval_required").notNull().default(false),
  expiresAt: moment("expires_at"),
  expiryToldAt: moment("expiry_told_at"),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  updatedAt: moment("updated_at").notNull(),
});

/** The values a secret has had; `kept` is what the store of values wants back, and null once it is destroyed. */
export const secretVersions = pgTable("secret_versions", {
  id: text().primaryKey(),
  secretId: text("secret_id").notNull(),
  version: integer().notNull(),
  state: text({ enum: versionStates }).notNull(),
  /** Null: a text. */
  fields: json().$type<readonly string[]>(),
  refs: json().$type<readonly SecretReference[]>().notNull(),
  store: text().notNull(),
  kept: bytes(),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  deletedAt: moment("deleted_at"),
  destroyedAt: moment("destroyed_at"),
});

/** One-time links; `sealed` opens with a key that only the token gives, and is null once the link is over. */
export const secretShares = pgTable("secret_shares", {
  id: text().primaryKey(),
  secretId: text("secret_id").notNull(),
  version: integer().notNull(),
  tokenHash: text("token_hash").notNull(),
  sealed: bytes(),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  expiresAt: moment("expires_at").notNull(),
  redeemedAt: moment("redeemed_at"),
  revokedAt: moment("revoked_at"),
});

/** What somebody wants to do with a secret that takes two. */
export const secretRequests = pgTable("secret_requests", {
  id: text().primaryKey(),
  secretId: text("secret_id").notNull(),
  action: text({ enum: approvalActions }).notNull(),
  reason: text().notNull(),
  status: text({ enum: requestStatuses }).notNull(),
  requestedBy: text("requested_by").notNull(),
  windowSeconds: integer("window_seconds").notNull(),
  decidedBy: text("decided_by"),
  decidedAt: moment("decided_at"),
  usedAt: moment("used_at"),
  createdAt: moment("created_at").notNull(),
  expiresAt: moment("expires_at").notNull(),
});
