import { z } from "zod";
import { auditOutcomes } from "../../../../db/schema/audit.ts";

/** One line of the trail: who did what to what, from where, and how it went. */
export const auditEntry = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  action: z.string(),
  actor: z.string().nullable(),
  subject: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  ip: z.string().nullable(),
  requestId: z.string().nullable(),
  audience: z.string().nullable(),
  tenant: z.string().nullable(),
  data: z.unknown(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** Before the first entry. */
export const noHash = "0".repeat(64);

/**
 * The hash of an entry in its place: SHA-256 over the hash before it (as bytes) and the UTF-8 of the JSON array of its number and fields, in this order. So no
 * entry can be changed, left out, added or moved without changing every hash after it. Hashes are hex.
 */
export function hashEntry(previous: string, seq: number, entry: AuditEntry): string {
  const { id, at, action, actor, subject, outcome, ip, requestId, audience, tenant, data } = entry;
  const text = JSON.stringify([seq, id, at, action, actor, subject, outcome, ip, requestId, audience, tenant, data]);
  return new Bun.CryptoHasher("sha256").update(previous, "hex").update(text).digest("hex");
}
