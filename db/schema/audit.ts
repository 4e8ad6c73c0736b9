import { bigint, boolean, json, pgTable, text } from "drizzle-orm/pg-core";
import type { JWK } from "jose";
import { bytes, moment, transactionId } from "../columns.ts";

export const auditOutcomes = ["success", "refused", "failed"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** What was done to an account or to what it guards, by whom and from where; written in the transaction of the act, and never changed. */
export const auditLog = pgTable("audit_log", {
  id: text().primaryKey(),
  at: moment("at").notNull(),
  action: text().notNull(),
  actorId: text("actor_id"),
  subject: text(),
  outcome: text({ enum: auditOutcomes }).notNull().default("success"),
  requestId: text("request_id"),
  ip: text(),
  /** The user it is about. */
  audience: text(),
  /** The team it is about. */
  tenant: text(),
  data: json().$type<unknown>().notNull(),
  /** The transaction that wrote it; set by the database. */
  tx: transactionId(),
});

/** The order of the trail, and what makes it tamper-evident. */
export const auditChain = pgTable("audit_chain", {
  seq: bigint({ mode: "number" }).primaryKey(),
  entryId: text("entry_id").notNull(),
  tx: transactionId().notNull(),
  hash: bytes().notNull(),
});

export const auditKeys = pgTable("audit_keys", {
  id: text().primaryKey(),
  publicKey: json("public_key").$type<JWK>().notNull(),
  privateKey: bytes("private_key").notNull(),
  createdAt: moment("created_at").notNull(),
});

export const auditCheckpoints = pgTable("audit_checkpoints", {
  seq: bigint({ mode: "number" }).primaryKey(),
  hash: bytes().notNull(),
  at: moment("at").notNull(),
  keyId: text("key_id").notNull(),
  signature: bytes().notNull(),
});

export const accessProfiles = pgTable("access_profiles", {
  actorId: text("actor_id").primaryKey(),
  profile: json().$type<unknown>().notNull(),
  updatedAt: moment("updated_at").notNull(),
});

export const auditPush = pgTable("audit_push", {
  onlyRow: boolean("only_row").primaryKey().default(true),
  seq: bigint({ mode: "number" }).notNull().default(0),
  failingSince: moment("failing_since"),
  toldAt: moment("told_at"),
});
