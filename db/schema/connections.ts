import { boolean, json, pgTable, text } from "drizzle-orm/pg-core";
import { bytes, moment } from "../columns.ts";

export const integrations = pgTable("integrations", {
  id: text().primaryKey(),
  name: text().notNull(),
  displayName: text("display_name").notNull(),
  issuer: text(),
  authorizationUrl: text("authorization_url"),
  tokenUrl: text("token_url"),
  revocationUrl: text("revocation_url"),
  clientId: text("client_id").notNull(),
  clientSecret: bytes("client_secret").notNull(),
  clientAuth: text("client_auth", { enum: ["basic", "post"] }).notNull(),
  scopes: json().$type<readonly string[]>().notNull(),
  extraParameters: json("extra_parameters").$type<Readonly<Record<string, string>>>().notNull(),
  enabled: boolean().notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  updatedAt: moment("updated_at").notNull(),
});

export const connections = pgTable("connections", {
  id: text().primaryKey(),
  tenant: text().notNull(),
  integrationId: text("integration_id").notNull(),
  status: text({ enum: ["active", "needs_reauthorization"] }).notNull(),
  scopes: json().$type<readonly string[]>().notNull(),
  tokens: bytes().notNull(),
  expiresAt: moment("expires_at"),
  createdBy: text("created_by").notNull(),
  createdAt: moment("created_at").notNull(),
  updatedAt: moment("updated_at").notNull(),
});

export const connectionFlows = pgTable("connection_flows", {
  stateHash: text("state_hash").primaryKey(),
  browserHash: text("browser_hash").notNull(),
  integrationId: text("integration_id").notNull(),
  tenant: text().notNull(),
  userId: text("user_id").notNull(),
  expiresAt: moment("expires_at").notNull(),
});
