import { z } from "@hono/zod-openapi";
import { scopes } from "../../../platform/scopes.ts";
import { storableText } from "../../../platform/text.ts";

export const keyId = z.string().max(64).openapi({ example: "key_0199f0a8c7d87d1b9c5f2f6d4b7a1e3f" });
const teamId = z.string().max(64).openapi({ example: "team_0199f0a8c7d87d1b9c5f2f6d4b7a1e40" });
const name = storableText(100).min(1).openapi({ example: "nightly import" });
const moment = z.iso.datetime({ offset: true });
const scopeList = z
  .array(z.enum(scopes))
  .min(1)
  .max(scopes.length)
  .refine((list) => new Set(list).size === list.length, { error: "each scope once" })
  .openapi({
    example: ["sandbox:write", "tasks:read"],
    description: "`<service>:write` includes `<service>:read`; `admin` only for administrators",
  });
const rateLimit = z
  .number()
  .int()
  .min(1)
  .max(10_000_000)
  .openapi({ description: "Requests per minute of this key; above the user's own limit only administrators grant it" });
const creditLimit = z.number().min(0).max(1e12);
const softFirst = {
  check: ({
    creditLimitSoft: soft,
    creditLimitHard: hard,
  }: {
    readonly creditLimitSoft?: number | undefined;
    readonly creditLimitHard?: number | undefined;
  }) => soft === undefined || hard === undefined || soft <= hard,
  says: { error: "the soft limit must not be above the hard limit", path: ["creditLimitSoft"] },
};

export const apiKey = z
  .object({
    id: keyId,
    name,
    start: z.string().openapi({ description: "What the key begins with", example: "klsn_0199f0a8c7d87d1b9c5f2f6d4b7a1e3f" }),
    ownerId: z.string(),
    teamId: z.string().nullable(),
    scopes: z.array(z.string()),
    rateLimit: z.number().int().nullable(),
    creditLimitSoft: z.number().nullable(),
    creditLimitHard: z.number().nullable(),
    creditsUsed: z.number(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable(),
    lastUsedAt: z.iso.datetime().nullable(),
    previousUntil: z.iso.datetime().nullable().openapi({ description: "Until when the key from before the last rotation works" }),
  })
  .openapi("ApiKey");

export const apiKeyAnswer = z.object({ apiKey });
export const apiKeyWithSecret = z
  .object({
    apiKey,
    key: z.string().openapi({
      description: "Shown this once",
      example: "klsn_0199f0a8c7d87d1b9c5f2f6d4b7a1e3f0Vqk3xZ8sYhN1bWcR5tJm7LpDfGa2Ue9XiOo4Qr6TwE1fK9zB",
    }),
  })
  .openapi("ApiKeyWithSecret");
export const apiKeyPage = z.object({ data: z.array(apiKey), nextCursor: z.string().nullable() }).openapi("ApiKeyPage");

export const createKeyRequest = z
  .strictObject({
    name,
    scopes: scopeList,
    expiresAt: moment.optional(),
    rateLimit: rateLimit.optional(),
    creditLimitSoft: creditLimit.optional(),
    creditLimitHard: creditLimit.optional(),
    teamId: teamId.optional(),
  })
  .refine(softFirst.check, softFirst.says)
  .openapi("CreateApiKeyRequest");

const importedId = z
  .string()
  .regex(/^key_[0-9a-f]{32}$/, { error: "expected key_ and 32 hex digits" })
  .openapi({
    example: "key_0199f0a8c7d87d1b9c5f2f6d4b7a1e42",
    description: "What the key is looked up by; without it a new one. Choose it to know the key before it is imported",
  });
/** Work factors above 14 would hold a core for seconds on the way of a request. */
const bcryptHash = z
  .string()
  .regex(/^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/, {
    error: "expected a bcrypt hash ($2a$, $2b$ or $2y$) with a cost from 04 to 14",
  })
  .openapi({ example: "$2b$10$GMbUPEr9CRdNk2HWSPjY/uJ2ylzBDRJGXEUjS6zcQFIfRSHpK.nYi" });

export const importKeyRequest = z
  .strictObject({
    userId: z
      .string()
      .max(64)
      .openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c", description: "The owner, on whose authority the key acts" }),
    name,
    scopes: scopeList,
    hash: bcryptHash,
    id: importedId.optional(),
    expiresAt: moment.optional(),
    rateLimit: rateLimit.optional(),
  })
  .openapi("ImportApiKeyRequest");

/** Null takes a limit or the expiry away. */
export const updateKeyRequest = z
  .strictObject({
    name: name.optional(),
    scopes: scopeList.optional(),
    expiresAt: moment.nullable().optional(),
    rateLimit: rateLimit.nullable().optional(),
    creditLimitSoft: creditLimit.nullable().optional(),
    creditLimitHard: creditLimit.nullable().optional(),
  })
  .openapi("UpdateApiKeyRequest");

export const rotateKeyRequest = z
  .strictObject({
    graceSeconds: z.number().int().min(0).max(604_800).default(0).openapi({ description: "How long the old key works beside the new one" }),
  })
  .openapi("RotateApiKeyRequest");

export const keyQuery = z.strictObject({
  teamId: teamId.optional().openapi({ description: "The keys of this team instead of your own" }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: keyId.optional(),
});
