import { pgTable, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const externalKeyStatuses = ["unverified", "valid", "invalid"] as const;
export type ExternalKeyStatus = (typeof externalKeyStatuses)[number];

export const externalKeys = pgTable("external_keys", {
  id: text().primaryKey(),
  /** A user's or a team's id, or `system`. */
  tenant: text().notNull(),
  service: text().notNull(),
  name: text().notNull(),
  key: bytes().notNull(),
  hint: text().notNull(),
  status: text({ enum: externalKeyStatuses }).notNull(),
  checkedAt: moment("checked_at"),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  updatedAt: moment("updated_at").notNull(),
});
