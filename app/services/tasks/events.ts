import { z } from "zod";
import { taskEventTypes, taskStatuses } from "../../../db/schema/tasks.ts";
import { eventsOf } from "../../platform/events.ts";

const event = eventsOf("tasks");

/** One entry of a task's history, as its stream shows it. */
export const taskEvent = z.object({
  seq: z.number().int().positive(),
  type: z.enum(taskEventTypes),
  data: z.unknown(),
});
export type TaskEvent = z.infer<typeof taskEvent>;

export const taskChanged = event({
  type: "task.changed",
  description: "A task has another status. What it carries is in its history, up to `seq`. The subject is the task.",
  data: z.object({ queue: z.string(), status: z.enum(taskStatuses), seq: z.number().int() }),
});

export const taskControls = ["cancel", "pause", "resume", "promote", "retry"] as const;
export const taskControlled = event({
  type: "task.controlled",
  description: "Somebody ended a task, stopped it, or let it go on: what they asked for, and which status it had. The subject is the task.",
  data: z.object({ queue: z.string(), control: z.enum(taskControls), from: z.enum(taskStatuses) }),
  audited: true,
});

export const taskLongRunning = event({
  type: "task.long_running",
  description: "A task has run for long, and what was done about it. The subject is the task.",
  data: z.object({ queue: z.string(), elapsedMs: z.number(), step: z.enum(["warn", "pause", "stop"]) }),
});

const alarm = z.object({ queue: z.string(), state: z.enum(["begun", "over"]), value: z.number(), threshold: z.number() });
export const queueHighDepth = event({
  type: "queue.high_depth",
  description: "Many wait in a queue; `value` counts no further than the threshold. The subject is the queue.",
  audience: "admins",
  data: alarm,
});
export const queueStuck = event({
  type: "queue.stuck",
  description: "The first in line has waited for long; milliseconds. The subject is the queue.",
  audience: "admins",
  data: alarm,
});
export const taskHighLoad = event({
  type: "task.high_load",
  description: "The workers of a queue are nearly all busy; `value` is which part of what may run does, 0 to 1. The subject is the queue.",
  audience: "admins",
  data: alarm,
});
export const queueErrorRate = event({
  type: "queue.error_rate",
  description: "A large part of what ended lately failed; 0 to 1. The subject is the queue.",
  audience: "admins",
  data: alarm,
});

export const queueScaled = event({
  type: "queue.scaled",
  description: "A worker thread runs more or fewer of a queue's jobs at once. The subject is the queue.",
  audience: "admins",
  data: z.object({
    queue: z.string(),
    node: z.string(),
    thread: z.string(),
    from: z.number(),
    to: z.number(),
    reason: z.enum(["depth", "age", "idle"]),
  }),
});

export const queuePaused = event({
  type: "queue.paused",
  description: "A queue's tasks wait from now on. The subject is the queue.",
  audience: "admins",
  data: z.object({ queue: z.string() }),
  audited: true,
});
export const deadLettersPurged = event({
  type: "queue.dead_letters_purged",
  description: "Dead letters were forgotten: how many, and up to which moment of their end. The subject is the queue.",
  audience: "admins",
  data: z.object({ queue: z.string(), before: z.string(), purged: z.number() }),
  audited: true,
});
export const queueRedriven = event({
  type: "queue.redriven",
  description:
    "Dead letters were given all their attempts again: how many, of the named ones or of all that the actor may see. The subject is the queue.",
  data: z.object({ queue: z.string(), redriven: z.number().int(), named: z.boolean() }),
  audited: true,
});
export const queueResumed = event({
  type: "queue.resumed",
  description: "A queue's tasks are worked again. The subject is the queue.",
  audience: "admins",
  data: z.object({ queue: z.string() }),
  audited: true,
});
