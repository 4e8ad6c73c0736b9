import { bigint, integer, json, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

/** Events written in the transaction that caused them, until the relay has handed them on; those of one transaction in one row. */
export const outbox = pgTable("outbox", {
  id: bigint({ mode: "number" }).generatedAlwaysAsIdentity().primaryKey(),
  payload: json().$type<readonly unknown[]>().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});

/** Answers to requests that carried an `Idempotency-Key`; `status` is null while the first one still runs. */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    scope: text().notNull(),
    key: text().notNull(),
    fingerprint: text().notNull(),
    lockedUntil: moment("locked_until"),
    status: integer(),
    contentType: text("content_type"),
    /** Sealed with the key-encryption key: answers may hold tokens. */
    body: bytes(),
    createdAt: moment("created_at").notNull().defaultNow(),
    expiresAt: moment("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] })],
);
