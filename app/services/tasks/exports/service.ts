import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { QueueName } from "../../../platform/queue/catalogue.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { TaskProducer } from "../record/create.ts";
import { openDocument } from "./document.ts";
import { exportDownloaded, exportRequested } from "./events.ts";
import { exportUserDataJob } from "./jobs.ts";
import type { ExportView } from "./schema.ts";
import type { ExportRow, ExportStore } from "./store.ts";

export type ExportService = ReturnType<typeof createExportService>;

export interface ExportDeps {
  readonly store: ExportStore;
  readonly transact: Transact;
  readonly createTask: TaskProducer["create"];
  /** Throws `Problem` (`queue_full`) when no more may wait in the queue. */
  readonly assertRoom: (queue: QueueName) => Promise<void>;
  readonly seal: Pick<Seal, "open">;
  readonly now: Now;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/** How long an export is there, from when it was asked for and again from when it is ready. */
const exportDays = 7;
const keptMax = 3;

/** Copies of all that is kept about somebody, for nobody else: not for administrators either. */
export function createExportService({ store, transact, createTask, assertRoom, seal, now }: ExportDeps) {
  const own = (actor: Actor, id: string, row: ExportRow | undefined): ExportRow => {
    if (!row || row.ownerId !== actor.userId) throw new Problem("not_found", { detail: `There is no export ${id}.` });
    return row;
  };

  return {
    /** One at a time: while one is being written, that is the answer. The newest three are kept. */
    create: async ({ actor, origin }: Call): Promise<ExportView> => {
      await assertRoom(exportUserDataJob.queue);
      const ownerId = actor.userId;
      const id = await transact(async (unit) => {
        const exportId = newId("export");
        const { requestId } = origin;
        const task = await createTask(unit, { contract: exportUserDataJob, input: { exportId }, ownerId, dedupeKey: "export", requestId });
        const underWay = task.duplicate ? await store.findByTask(task.id, unit.tx) : undefined;
        if (underWay) return underWay;
        const createdAt = now();
        await store.insert({ id: exportId, ownerId, taskId: task.id, createdAt, expiresAt: expiryAfter(createdAt) }, unit.tx);
        await store.keepNewest(ownerId, keptMax, unit.tx);
        unit.publish(exportRequested, { subject: exportId, audience: ownerId, actorId: ownerId, origin, data: { taskId: task.id } });
        return exportId;
      });
      return toView(own(actor, id, await store.find(id)));
    },

    get: async (actor: Actor, id: string): Promise<ExportView> => toView(own(actor, id, await store.find(id))),

    /** The document as JSON text. Throws `Problem`: `not_found`, `export_not_ready`. */
    download: async ({ actor, origin }: Call, id: string): Promise<Uint8Array<ArrayBuffer>> => {
      const sealed = await transact(async (unit) => {
        const row = own(actor, id, await store.find(id, unit.tx));
        const document = await store.document(id, unit.tx);
        if (!document) throw new Problem("export_not_ready", { detail: `The export is ${toView(row).status}.` });
        unit.publish(exportDownloaded, { subject: id, audience: row.ownerId, actorId: actor.userId, origin, data: {} });
        return document;
      });
      return openDocument(sealed, id, seal);
    },
  };
}

export function expiryAfter(moment: Date): Date {
  return new Date(moment.getTime() + exportDays * 86_400_000);
}

/** Between the document and the end of its task there is a moment: what can be downloaded is completed. */
function toView(row: ExportRow): ExportView {
  const { id, taskId, bytes, error } = row;
  const status = row.finishedAt ? "completed" : (row.status ?? "failed");
  return {
    ...{ id, taskId, status },
    ...(bytes === null ? {} : { bytes }),
    ...(error && !row.finishedAt ? { error } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
    expiresAt: row.expiresAt.toISOString(),
  };
}
