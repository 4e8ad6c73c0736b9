import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { Problem } from "../../../platform/errors.ts";
import { giveUp, type JobHandler } from "../../../platform/queue/job.ts";
import type { Rename } from "../../auth/accounts/rename.ts";
import type { CreateSchedule } from "../schedules/create.ts";
import { exportedSchedule } from "../schedules/schema.ts";
import type { ScheduleStore } from "../schedules/store.ts";
import { toScheduleView } from "../schedules/view.ts";
import type { ImportedDocument, ImportResult } from "./schema.ts";

export interface ImportHandlerDeps {
  readonly schedules: Pick<ScheduleStore, "ownedBy">;
  readonly createSchedule: CreateSchedule;
  readonly rename: Rename;
}

type ExportedSchedule = z.infer<typeof exportedSchedule>;

/** More than one account may have. */
const ownedMax = 10_000;
/** How many schedules are made between two words of progress. */
const progressEvery = 50;

/**
 * Gives the owner the name and the schedules of the document. What can't be made is left out and said why.
 * Idempotent: a schedule that the owner has just so is not made again.
 */
export function createImportUserDataHandler(deps: ImportHandlerDeps): JobHandler<ImportedDocument> {
  const importSchedule = async (ownerId: string, wanted: ExportedSchedule, owned: ExportedSchedule[]): Promise<string | undefined> => {
    if (owned.some((it) => isDeepStrictEqual(it, wanted))) return "you have this schedule already";
    try {
      await deps.createSchedule({ ownerId, actorId: ownerId }, toRequest(wanted));
      owned.push(wanted);
      return undefined;
    } catch (error) {
      if (error instanceof Problem) return reasonOf(error);
      throw error;
    }
  };

  return async ({ data }, { ownerId, signal, progress }) => {
    if (ownerId === undefined) return giveUp("an import belongs to somebody");
    const { auth, schedules = [] } = data;
    const skipped: ImportResult["skipped"] = [];
    const name = auth?.user?.name ?? undefined;
    if (name !== undefined && !(await deps.rename(ownerId, name))) return giveUp("The account is gone.");

    const owned = (await deps.schedules.ownedBy(ownerId, ownedMax)).map((row) => exportedSchedule.parse(toScheduleView(row)));
    for (const [index, wanted] of schedules.entries()) {
      signal.throwIfAborted();
      if (index % progressEvery === 0) await progress({ done: index, total: schedules.length, step: "schedules" });
      const reason = await importSchedule(ownerId, wanted, owned);
      if (reason !== undefined) skipped.push({ pointer: `/data/schedules/${index}`, reason });
    }
    return { imported: { name: name !== undefined, schedules: schedules.length - skipped.length }, skipped } satisfies ImportResult;
  };
}

function toRequest(wanted: ExportedSchedule): Parameters<CreateSchedule>[1] {
  const { cron, everyMs, name, startsAt, endsAt, ...rest } = wanted;
  return {
    ...rest,
    ...(cron === null ? {} : { cron }),
    ...(everyMs === null ? {} : { everyMs }),
    ...(name === null ? {} : { name }),
    ...(startsAt === null ? {} : { startsAt }),
    ...(endsAt === null ? {} : { endsAt }),
  };
}

function reasonOf({ message, init }: Problem): string {
  const details = init.errors?.map(({ pointer, detail }) => `${pointer} ${detail}`) ?? [];
  return details.length > 0 ? details.join("; ") : (init.detail ?? message);
}
