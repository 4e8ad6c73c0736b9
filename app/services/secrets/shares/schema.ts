import { z } from "@hono/zod-openapi";
import { secretName, whoseQuery } from "../schema.ts";

export const createShareRequest = z
  .strictObject({
    expiresInSeconds: z.number().int().min(60).max(604_800).default(86_400),
    version: z.number().int().min(1).max(2_147_483_647).optional(),
  })
  .openapi("NewSecretShare");
export const redeemRequest = z
  .strictObject({ token: z.string().max(200).openapi({ description: "What stands after the # of the link" }) })
  .openapi("RedeemSecretShare");

export const shareParams = z.object({ name: secretName, shareId: z.string().max(64) });
export const sharesQuery = whoseQuery.extend({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});

export const share = z
  .object({
    id: z.string(),
    version: z.number().int(),
    status: z.enum(["open", "redeemed", "revoked", "expired"]),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    redeemedAt: z.iso.datetime().optional(),
  })
  .openapi("SecretShare");
export const createdShare = z
  .object({ share, token: z.string(), url: z.string(), expiresAt: z.iso.datetime() })
  .openapi("CreatedSecretShare");
export const redeemedShare = z
  .object({ name: z.string(), version: z.number().int(), value: z.union([z.string(), z.record(z.string(), z.string())]) })
  .openapi("RedeemedSecretShare");
export const sharePage = z.object({ data: z.array(share), nextCursor: z.string().nullable() }).openapi("SecretSharePage");
