import type { z } from "zod";
import type { apiKey } from "./schema.ts";
import type { ApiKeyRow } from "./store.ts";

export type ApiKeyView = z.infer<typeof apiKey>;

export function toApiKeyView(row: ApiKeyRow): ApiKeyView {
  const { id, name, ownerId, teamId, scopes, rateLimit, creditLimitSoft, creditLimitHard, creditsUsed } = row;
  return {
    id,
    name,
    start: id.replace("key_", "klsn_"),
    ownerId,
    teamId,
    scopes: [...scopes],
    rateLimit,
    creditLimitSoft,
    creditLimitHard,
    creditsUsed,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    previousUntil: row.previousUntil?.toISOString() ?? null,
  };
}
