import { jsonb, pgTable, text } from "drizzle-orm/pg-core";
import type { JWK } from "jose";
import { moment } from "../columns.ts";

export const users = pgTable("users", {
  id: text().primaryKey(),
  email: text().notNull(),
  name: text(),
  role: text({ enum: ["user", "admin"] })
    .notNull()
    .default("user"),
  passwordHash: text("password_hash").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});

export const sessions = pgTable("sessions", {
  id: text().primaryKey(),
  userId: text("user_id").notNull(),
  ip: text(),
  userAgent: text("user_agent"),
  createdAt: moment("created_at").notNull().defaultNow(),
  lastSeenAt: moment("last_seen_at").notNull().defaultNow(),
  revokedAt: moment("revoked_at"),
});

export const refreshTokens = pgTable("refresh_tokens", {
  hash: text().primaryKey(),
  sessionId: text("session_id").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at").notNull(),
  usedAt: moment("used_at"),
});

export const signingKeys = pgTable("signing_keys", {
  kid: text().primaryKey(),
  publicJwk: jsonb("public_jwk").$type<JWK>().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});

export const setupTokens = pgTable("setup_tokens", {
  hash: text().primaryKey(),
  createdAt: moment("created_at").notNull().defaultNow(),
  usedAt: moment("used_at"),
});
