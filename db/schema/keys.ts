import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const keyEncryptionKeys = pgTable("key_encryption_keys", {
  version: integer().primaryKey(),
  rootKeyId: text("root_key_id").notNull(),
  /** By the root key. */
  wrapped: bytes().notNull(),
  createdAt: moment("created_at").notNull(),
  /** Every copy knows it by then, and encrypts with it from then on. */
  inForceFrom: moment("in_force_from").notNull(),
  disabledAt: moment("disabled_at"),
});
