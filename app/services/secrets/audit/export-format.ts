import { z } from "zod";
import { checkpoint, checkpointKey } from "./checkpoint.ts";
import { auditEntry } from "./entry.ts";

/** The first line of an export in NDJSON. */
export const exportHead = z.object({
  format: z.literal("keelson.audit"),
  version: z.literal(1),
  exportedAt: z.iso.datetime(),
  /** Null: all there is, in a chain without a gap. Else each entry can only be checked for itself. */
  filter: z.record(z.string(), z.string()).nullable(),
});

const hash = z.string().regex(/^[0-9a-f]{64}$/);
export const exportedEntry = z.object({ seq: z.number().int().positive(), previousHash: hash, hash, entry: auditEntry });

/** The last line. */
export const exportEnd = z.object({ entries: z.number().int(), checkpoint: checkpoint.nullable(), key: checkpointKey.nullable() });

export type ExportedEntry = z.infer<typeof exportedEntry>;
export type ExportHead = z.infer<typeof exportHead>;
export type ExportEnd = z.infer<typeof exportEnd>;
