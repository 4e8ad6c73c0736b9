import { z } from "zod";
import { taskEventTypes } from "../../../db/schema/tasks.ts";
import { defineEvent } from "../../platform/events.ts";

/** One entry of a task's history, as its stream shows it. */
export const taskEvent = z.object({
  seq: z.number().int().positive(),
  type: z.enum(taskEventTypes),
  data: z.unknown(),
});
export type TaskEvent = z.infer<typeof taskEvent>;

/** The subject is the task. */
export const taskChanged = defineEvent({ type: "task.changed", data: taskEvent });
