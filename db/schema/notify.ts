import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "../columns.ts";

/** Mail that nothing is configured to deliver. */
export const developmentMails = pgTable("development_mails", {
  id: text().primaryKey(),
  recipient: text().notNull(),
  subject: text().notNull(),
  body: text().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});
