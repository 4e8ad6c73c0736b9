import { z } from "zod";
import { taskEventTypes, taskStatuses } from "../../../db/schema/tasks.ts";
import { defineEvent } from "../../platform/events.ts";

/** One entry of a task's history, as its stream shows it. */
export const taskEvent = z.object({
  seq: z.number().int().positive(),
  type: z.enum(taskEventTypes),
  data: z.unknown(),
});
export type TaskEvent = z.infer<typeof taskEvent>;

/** The subject is the task. What it carries is in its history, up to `seq`. */
export const taskChanged = defineEvent({
  type: "task.changed",
  data: z.object({ queue: z.string(), status: z.enum(taskStatuses), seq: z.number().int() }),
});

/** The subject is the task. It has run for long, and what was done about it. */
export const taskLongRunning = defineEvent({
  type: "task.long_running",
  data: z.object({ queue: z.string(), elapsedMs: z.number(), step: z.enum(["warn", "pause", "stop"]) }),
});

const alarm = z.object({ queue: z.string(), state: z.enum(["begun", "over"]), value: z.number(), threshold: z.number() });
/** The subject of these is the queue. Many wait; `value` counts no further than the threshold. */
export const queueHighDepth = defineEvent({ type: "queue.high_depth", data: alarm });
/** The first in line has waited for long; milliseconds. */
export const queueStuck = defineEvent({ type: "queue.stuck", data: alarm });
/** The workers of a queue are nearly all busy; `value` is which part of what may run does, 0 to 1. */
export const taskHighLoad = defineEvent({ type: "task.high_load", data: alarm });
/** A large part of what ended lately failed; 0 to 1. */
export const queueErrorRate = defineEvent({ type: "queue.error_rate", data: alarm });

/** The subject is the queue. A worker thread runs more or fewer of its jobs at once. */
export const queueScaled = defineEvent({
  type: "queue.scaled",
  data: z.object({
    queue: z.string(),
    node: z.string(),
    thread: z.string(),
    from: z.number(),
    to: z.number(),
    reason: z.enum(["depth", "age", "idle"]),
  }),
});

/** The subject is the queue. */
export const queuePaused = defineEvent({ type: "queue.paused", data: z.object({ queue: z.string() }), audited: true });
/** Dead letters were forgotten: how many, and up to which moment of their end. */
export const deadLettersPurged = defineEvent({
  type: "queue.dead_letters_purged",
  data: z.object({ queue: z.string(), before: z.string(), purged: z.number() }),
  audited: true,
});
export const queueResumed = defineEvent({ type: "queue.resumed", data: z.object({ queue: z.string() }), audited: true });
