import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("tasks");

export const scheduleCreated = event({
  type: "schedule.created",
  description: "A schedule was made. The subject is the schedule.",
  audited: true,
  data: z.object({ queue: z.string(), cron: z.string().nullable(), everyMs: z.number().nullable(), timezone: z.string() }),
});

export const scheduleUpdated = event({
  type: "schedule.updated",
  description: "A schedule was changed; the names of the fields that were given. The subject is the schedule.",
  audited: true,
  data: z.object({ changed: z.array(z.string()), paused: z.boolean() }),
});

export const scheduleDeleted = event({
  type: "schedule.deleted",
  description: "A schedule is no more. The subject is the schedule.",
  audited: true,
  data: z.object({ queue: z.string() }),
});

export const scheduleTicked = event({
  type: "schedule.ticked",
  description: "A schedule has made a task: for a tick, or (`tickAt` is null) because somebody asked for one. The subject is the schedule.",
  data: z.object({ taskId: z.string(), queue: z.string(), tickAt: z.iso.datetime().nullable() }),
});

export const scheduleFailed = event({
  type: "schedule.failed",
  description: "A schedule is paused until somebody mends it and resumes it. The subject is the schedule.",
  data: z.object({ queue: z.string(), error: z.string() }),
});
