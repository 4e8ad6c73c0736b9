import type { z } from "zod";
import { type AccountData, documentBytesMax } from "../../../platform/account-data.ts";
import type { Now } from "../../../platform/clock.ts";
import { giveUp, type JobHandler } from "../../../platform/queue/job.ts";
import type { Seal } from "../../../platform/seal.ts";
import { sealDocument } from "./document.ts";
import type { exportUserDataJob } from "./jobs.ts";
import { expiryAfter } from "./service.ts";
import type { ExportStore } from "./store.ts";

export interface ExportHandlerDeps {
  readonly store: Pick<ExportStore, "find" | "finish">;
  readonly accountData: readonly AccountData[];
  readonly seal: Pick<Seal, "seal">;
  readonly now: Now;
}

/**
 * Writes one document of what every service keeps of the owner.
 * Idempotent: the first document that is written is kept.
 */
export function createExportUserDataHandler(deps: ExportHandlerDeps): JobHandler<z.infer<typeof exportUserDataJob.input>> {
  const { store, accountData, seal, now } = deps;
  return async ({ exportId }, { signal, progress }) => {
    const row = await store.find(exportId);
    if (!row) return giveUp(`there is no export ${exportId}`);
    if (row.finishedAt) return { exportId, bytes: row.bytes };
    const data: Record<string, unknown> = {};
    for (const [done, { service, export: take }] of accountData.entries()) {
      signal.throwIfAborted();
      await progress({ done, total: accountData.length, step: service });
      data[service] = await take(row.ownerId);
    }
    const finishedAt = now();
    const head = { format: "keelson.account-data", version: 1, userId: row.ownerId, exportedAt: finishedAt.toISOString() };
    const text = JSON.stringify({ ...head, data });
    const bytes = Buffer.byteLength(text);
    if (bytes > documentBytesMax) return giveUp(`the document has ${bytes} bytes; at most ${documentBytesMax}`);
    const document = await sealDocument(text, exportId, seal);
    signal.throwIfAborted();
    await store.finish(exportId, { document, bytes, finishedAt, expiresAt: expiryAfter(finishedAt) });
    await progress({ done: accountData.length, total: accountData.length });
    return { exportId, bytes };
  };
}
