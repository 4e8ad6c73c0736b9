import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("auth");

export const apiKeyCreated = event({
  type: "api_key.created",
  description: "An API key was made. The subject is the key.",
  audited: true,
  data: z.object({ name: z.string(), scopes: z.array(z.string()), teamId: z.string().nullable() }),
});
export const apiKeyImported = event({
  type: "api_key.imported",
  description: "An administrator brought an API key from another system, for its owner. The subject is the key.",
  audited: true,
  data: z.object({ name: z.string(), scopes: z.array(z.string()), ownerId: z.string() }),
});
export const apiKeyChanged = event({
  type: "api_key.changed",
  description: "An API key was changed; `changed` names fields, never what is in them. The subject is the key.",
  audited: true,
  data: z.object({ changed: z.array(z.string()) }),
});
export const apiKeyRotated = event({
  type: "api_key.rotated",
  description: "An API key has a new secret. The subject is the key.",
  audited: true,
  data: z.object({ graceSeconds: z.number() }),
});
export const keyRevocationReasons = ["revoked", "member_removed", "team_deleted", "address_proved"] as const;
export type KeyRevocationReason = (typeof keyRevocationReasons)[number];
export const apiKeyRevoked = event({
  type: "api_key.revoked",
  description: "An API key works no longer. The subject is the key.",
  audited: true,
  data: z.object({ reason: z.enum(keyRevocationReasons), teamId: z.string().nullable() }),
});
const credits = z.object({ creditsUsed: z.number(), limit: z.number() });
export const apiKeySoftLimitCrossed = event({
  type: "api_key.credit_soft_limit_crossed",
  description: "Spending went beyond the soft limit; told each time it does. The subject is the key.",
  audited: true,
  data: credits,
});
export const apiKeyHardLimitCrossed = event({
  type: "api_key.credit_hard_limit_crossed",
  description: "The hard limit refused something, for the first time until it is changed. The subject is the key.",
  audited: true,
  data: credits,
});
