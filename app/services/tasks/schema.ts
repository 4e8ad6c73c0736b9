import { z } from "@hono/zod-openapi";
import { taskStatuses } from "../../../db/schema/tasks.ts";
import { queueNames } from "../../platform/queue/catalogue.ts";

export const taskId = z.string().max(64).openapi({ example: "tsk_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

export const task = z
  .object({
    id: taskId,
    queue: z.enum(queueNames),
    status: z.enum(taskStatuses),
    progress: z.unknown(),
    attempts: z.number().int(),
    result: z.unknown().optional(),
    error: z.object({ name: z.string(), message: z.string() }).optional(),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().optional(),
    finishedAt: z.iso.datetime().optional(),
  })
  .openapi("Task");

/** In lists; the result is in the task itself. */
export const taskSummary = task.omit({ result: true }).openapi("TaskSummary");

export const taskQuery = z.strictObject({
  queue: z.enum(queueNames).optional(),
  status: z.enum(taskStatuses).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: taskId.optional(),
});

export const taskPage = z.object({ data: z.array(taskSummary), nextCursor: z.string().nullable() }).openapi("TaskPage");
