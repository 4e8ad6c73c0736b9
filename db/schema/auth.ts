import { sql } from "drizzle-orm";
import { bigint, boolean, integer, json, jsonb, numeric, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { JWK } from "jose";
import { tierNames } from "../../app/platform/tiers.ts";
import { bytes, moment, transactionId } from "../columns.ts";

export const users = pgTable("users", {
  id: text().primaryKey(),
  email: text().notNull(),
  name: text(),
  role: text({ enum: ["user", "admin"] })
    .notNull()
    .default("user"),
  /** What is promised to the user: how large a share of busy queues, and the like. */
  tier: text({ enum: tierNames }).notNull().default("free"),
  /** Null for an account that has never had one: it logs in by passkey, link or another provider. */
  passwordHash: text("password_hash"),
  passwordChangedAt: moment("password_changed_at"),
  emailVerifiedAt: moment("email_verified_at"),
  disabledAt: moment("disabled_at"),
  createdAt: moment("created_at").notNull().defaultNow(),
});

export const sessions = pgTable("sessions", {
  id: text().primaryKey(),
  activeUserId: text("active_user_id").notNull(),
  /** Grows with each change of what the session may do; access tokens carry it. */
  version: integer().notNull().default(0),
  ip: text(),
  userAgent: text("user_agent"),
  device: text().notNull().default("Unknown device"),
  /** The address block that the session may be used from; null: any. */
  boundNetwork: text("bound_network"),
  createdAt: moment("created_at").notNull().defaultNow(),
  lastSeenAt: moment("last_seen_at").notNull().defaultNow(),
  revokedAt: moment("revoked_at"),
  revokedReason: text("revoked_reason"),
});

/** How a user proved who they are (RFC 8176 names). */
export type AuthenticationMethod = "pwd" | "otp" | "hwk" | "email" | "fed" | "rc";

export const sessionUsers = pgTable(
  "session_users",
  {
    sessionId: text("session_id").notNull(),
    userId: text("user_id").notNull(),
    methods: json().$type<readonly AuthenticationMethod[]>().notNull(),
    authenticatedAt: moment("authenticated_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.sessionId, table.userId] })],
);

export const refreshTokens = pgTable("refresh_tokens", {
  hash: text().primaryKey(),
  sessionId: text("session_id").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at").notNull(),
  usedAt: moment("used_at"),
  /** What this token was exchanged for, sealed with the token itself: replayed within the grace window. */
  answer: bytes(),
});

export const revocations = pgTable("revocations", {
  id: bigint({ mode: "number" }).generatedAlwaysAsIdentity().primaryKey(),
  sessionId: text("session_id").notNull(),
  /** Tokens of lower versions are refused; null: all of the session's. */
  minVersion: integer("min_version"),
  at: moment("at").notNull(),
  xact: transactionId("xact").notNull().default(sql`pg_current_xact_id()`),
});

export const signingKeys = pgTable("signing_keys", {
  kid: text().primaryKey(),
  algorithm: text().notNull(),
  publicJwk: jsonb("public_jwk").$type<JWK>().notNull(),
  /** Sealed with the key-encryption key; null for a key that only verifies. */
  privateKey: bytes("private_key"),
  createdAt: moment("created_at").notNull().defaultNow(),
  /** Shown before it signs, so that whoever keeps the key set for a while has it by then. */
  signsFrom: moment("signs_from").notNull(),
});

export const setupTokens = pgTable("setup_tokens", {
  hash: text().primaryKey(),
  createdAt: moment("created_at").notNull().defaultNow(),
  usedAt: moment("used_at"),
});

export const oneTimeTokens = pgTable("one_time_tokens", {
  hash: text().primaryKey(),
  purpose: text().notNull(),
  userId: text("user_id"),
  data: json().$type<unknown>().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at").notNull(),
  usedAt: moment("used_at"),
});

export const passwordHistory = pgTable(
  "password_history",
  {
    userId: text("user_id").notNull(),
    hash: text().notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
);

export const loginFailures = pgTable("login_failures", {
  key: text().primaryKey(),
  failures: integer().notNull(),
  lastFailedAt: moment("last_failed_at").notNull(),
  blockedUntil: moment("blocked_until"),
});

export const totpCredentials = pgTable("totp_credentials", {
  userId: text("user_id").primaryKey(),
  /** Sealed with the key-encryption key. */
  secret: bytes().notNull(),
  /** Null until the first code was right. */
  confirmedAt: moment("confirmed_at"),
  /** The time step of the last accepted code: no code works twice. */
  lastStep: bigint("last_step", { mode: "number" }).notNull().default(0),
  createdAt: moment("created_at").notNull().defaultNow(),
});

export const recoveryCodes = pgTable(
  "recovery_codes",
  {
    userId: text("user_id").notNull(),
    hash: text().notNull(),
    usedAt: moment("used_at"),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
);

export const passkeys = pgTable("passkeys", {
  id: text().primaryKey(),
  userId: text("user_id").notNull(),
  /** Base64url. */
  credentialId: text("credential_id").notNull(),
  publicKey: bytes("public_key").notNull(),
  counter: bigint({ mode: "number" }).notNull(),
  transports: json().$type<readonly string[]>().notNull().default([]),
  name: text().notNull(),
  backedUp: boolean("backed_up").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  lastUsedAt: moment("last_used_at"),
});

/** An account at an outside provider that opens one of ours. */
export const identities = pgTable(
  "identities",
  {
    provider: text().notNull(),
    subject: text().notNull(),
    userId: text("user_id").notNull(),
    email: text(),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.provider, table.subject] })],
);

export const teams = pgTable("teams", {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});

const teamRoles = ["owner", "admin", "member", "viewer"] as const;

export const teamMembers = pgTable(
  "team_members",
  {
    teamId: text("team_id").notNull(),
    userId: text("user_id").notNull(),
    role: text({ enum: teamRoles }).notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.teamId, table.userId] })],
);

export const teamInvitations = pgTable("team_invitations", {
  id: text().primaryKey(),
  teamId: text("team_id").notNull(),
  email: text().notNull(),
  role: text({ enum: ["admin", "member", "viewer"] }).notNull(),
  invitedBy: text("invited_by").notNull(),
  tokenHash: text("token_hash").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at").notNull(),
});

/** To sign up; the token is a one-time token. */
export const accountInvitations = pgTable("account_invitations", {
  id: text().primaryKey(),
  email: text().notNull(),
  name: text(),
  role: text({ enum: ["user", "admin"] }).notNull(),
  invitedBy: text("invited_by").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at").notNull(),
});

export const apiKeys = pgTable("api_keys", {
  id: text().primaryKey(),
  ownerId: text("owner_id").notNull(),
  teamId: text("team_id"),
  name: text().notNull(),
  /** HMAC-SHA-256 under a key of the installation, or the bcrypt hash of an imported key. */
  secretHash: text("secret_hash").notNull(),
  /** What the key was before its rotation, good until `previousUntil`. */
  previousHash: text("previous_hash"),
  previousUntil: moment("previous_until"),
  scopes: json().$type<readonly string[]>().notNull(),
  /** Requests per minute. */
  rateLimit: integer("rate_limit"),
  creditLimitSoft: numeric("credit_limit_soft", { mode: "number" }),
  creditLimitHard: numeric("credit_limit_hard", { mode: "number" }),
  creditsUsed: numeric("credits_used", { mode: "number" }).notNull().default(0),
  /** When the hard limit first refused something; null again once the limit is changed. */
  creditLimitReachedAt: moment("credit_limit_reached_at"),
  /** Grows with each change of what the key may do, so that no copy goes on with an older state. */
  version: integer().notNull().default(0),
  createdAt: moment("created_at").notNull().defaultNow(),
  expiresAt: moment("expires_at"),
  lastUsedAt: moment("last_used_at"),
  revokedAt: moment("revoked_at"),
});
