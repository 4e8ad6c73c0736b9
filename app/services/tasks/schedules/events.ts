import { z } from "zod";
import { defineEvent } from "../../../platform/events.ts";

/** The subject of all of these is the schedule. */
export const scheduleCreated = defineEvent({
  type: "schedule.created",
  audited: true,
  data: z.object({ queue: z.string(), cron: z.string().nullable(), everyMs: z.number().nullable(), timezone: z.string() }),
});

/** The names of the fields that were given. */
export const scheduleUpdated = defineEvent({
  type: "schedule.updated",
  audited: true,
  data: z.object({ changed: z.array(z.string()), paused: z.boolean() }),
});

export const scheduleDeleted = defineEvent({ type: "schedule.deleted", audited: true, data: z.object({ queue: z.string() }) });

/** A task was made: for a tick, or (`tickAt` is null) because somebody asked for one. */
export const scheduleTicked = defineEvent({
  type: "schedule.ticked",
  data: z.object({ taskId: z.string(), queue: z.string(), tickAt: z.iso.datetime().nullable() }),
});

/** It is paused until somebody mends it and resumes it. */
export const scheduleFailed = defineEvent({ type: "schedule.failed", data: z.object({ queue: z.string(), error: z.string() }) });
