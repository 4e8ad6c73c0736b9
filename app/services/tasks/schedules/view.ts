import type { z } from "zod";
import type { schedule, scheduleSummary } from "./schema.ts";
import type { ScheduleRow, ScheduleSummaryRow } from "./store.ts";

export type ScheduleView = z.infer<typeof schedule>;
export type ScheduleSummary = z.infer<typeof scheduleSummary>;

export function toScheduleView(row: ScheduleRow): ScheduleView {
  return { ...toScheduleSummary(row), input: row.input };
}

export function toScheduleSummary(row: ScheduleSummaryRow): ScheduleSummary {
  const { id, cron, everyMs, timezone, queue, name, paused, missed, lastTaskId, lastError } = row;
  return {
    ...{ id, cron, everyMs, timezone, queue, name, paused, missed },
    startsAt: asText(row.startsAt),
    endsAt: asText(row.endsAt),
    createdAt: row.createdAt.toISOString(),
    nextRunAt: asText(row.nextRunAt),
    lastRunAt: asText(row.lastRunAt),
    lastTaskId,
    lastError,
  };
}

function asText(moment: Date | null): string | null {
  return moment?.toISOString() ?? null;
}
