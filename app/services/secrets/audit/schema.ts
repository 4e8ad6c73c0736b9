import { z } from "@hono/zod-openapi";
import { auditOutcomes } from "../../../../db/schema/audit.ts";
import { checkpoint, checkpointKey } from "./checkpoint.ts";

const filter = {
  actor: z.string().max(64).optional().openapi({ description: "Who did it" }),
  action: z
    .string()
    .max(128)
    .regex(/^[a-z0-9_.-]*\*?$/, { error: "must be an action such as secret.read, or the beginning of some such as secret.*" })
    .optional(),
  subject: z.string().max(256).optional().openapi({ description: "What it was done to" }),
  outcome: z.enum(auditOutcomes).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
};

export const auditQuery = z.strictObject({
  ...filter,
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .regex(/^evt_[0-9a-f]{32}$/, { error: "must be the nextCursor of the page before" })
    .optional(),
});
export const exportQuery = z.strictObject({ ...filter, format: z.enum(["ndjson", "cef"]).default("ndjson") });

export const auditEntryView = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    action: z.string(),
    actor: z.string().nullable(),
    subject: z.string().nullable(),
    outcome: z.enum(auditOutcomes),
    ip: z.string().nullable(),
    requestId: z.string().nullable(),
    data: z.unknown(),
    seq: z.number().int().nullable().openapi({ description: "Its place in the chain; null for a moment after it was written" }),
    hash: z.string().nullable(),
  })
  .openapi("AuditEntry");
export type AuditEntryView = z.infer<typeof auditEntryView>;

export const auditPage = z.object({ data: z.array(auditEntryView), nextCursor: z.string().nullable() }).openapi("AuditPage");

export const checkpointAnswer = z
  .object({
    checkpoint: checkpoint.nullable().openapi({ description: "Null while the trail is empty" }),
    key: checkpointKey.nullable(),
  })
  .openapi("AuditCheckpoint", {
    description:
      "An Ed25519 signature over the lines `keelson/audit/v1`, the number, the hash and the time. `keyId` is the SHA-256 of the public key: keep it elsewhere, to know the key again.",
  });
