import { z } from "@hono/zod-openapi";
import { taskStatuses } from "../../../db/schema/tasks.ts";
import { queueNames } from "../../platform/queue/catalogue.ts";
import { tierNames } from "../../platform/tiers.ts";

export const taskId = z.string().max(64).openapi({ example: "tsk_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

const queueName = z.enum(queueNames);

export const task = z
  .object({
    id: taskId,
    queue: queueName,
    status: z.enum(taskStatuses),
    progress: z.unknown(),
    attempts: z.number().int(),
    attemptsMax: z.number().int(),
    priority: z.number().int().openapi({ description: "As it was given" }),
    effectivePriority: z.number().int().openapi({ description: "What follows from it, the queue, the urgency and the owner's tier" }),
    group: z.string(),
    dedupeKey: z.string().optional(),
    result: z.unknown().optional(),
    error: z.object({ name: z.string(), message: z.string() }).optional(),
    createdAt: z.iso.datetime(),
    availableAt: z.iso.datetime().optional(),
    startedAt: z.iso.datetime().optional(),
    finishedAt: z.iso.datetime().optional(),
  })
  .openapi("Task");

/** In lists; the result is in the task itself. */
export const taskSummary = task.omit({ result: true }).openapi("TaskSummary");

/** Who runs it, and for whom: `seenAt` is the last report of its worker, `memoryBytes` and `credits` are as of then. */
export const activeTask = taskSummary
  .extend({
    ownerId: z.string().optional(),
    teamId: z.string().optional(),
    tier: z.enum(tierNames).optional(),
    memoryBytes: z.number().optional().openapi({ description: "Set aside for it; of a program, what it may take at most" }),
    credits: z.number().optional().openapi({ description: "Spent so far" }),
    node: z.string().optional(),
    thread: z.string().optional(),
    seenAt: z.iso.datetime().optional(),
  })
  .openapi("ActiveTask");

const day = 86_400_000;
/** Printable, and without the sign that divides tenants from their groups. */
const label = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}/]{1,128}$/u, { error: "expected 1 to 128 characters, without control characters and slashes" });

export const taskInput = z
  .strictObject({
    queue: z.string().max(64).openapi({ example: "sandbox-execution" }),
    input: z.unknown().openapi({ description: "What the queue's job takes", example: { code: "6 * 7" } }),
    priority: z.number().int().min(0).max(1_000).default(500).openapi({ description: "Within its group; lower goes first" }),
    urgency: z.enum(["low", "normal", "high"]).optional().openapi({ description: "250 off the priority, or added to it" }),
    delayMs: z
      .number()
      .int()
      .min(0)
      .max(365 * day)
      .optional(),
    timeoutMs: z.number().int().min(1).max(day).optional().openapi({ description: "For one attempt; at most what the queue allows" }),
    group: label.optional().openapi({ description: "The tasks of one group wait for each other; groups take turns" }),
    dedupeKey: label.optional().openapi({ description: "While a task with this key has not ended, the answer is that task" }),
  })
  .openapi("NewTask");

const bulkMax = 1_000;
const taskInputs = z.array(taskInput).min(1).max(bulkMax);

/** One task, or an array of them. No union, which could not say where in which of the two a mistake is. */
export const newTasks = z
  .unknown()
  .transform((given, context): z.infer<typeof taskInput> | z.infer<typeof taskInputs> => {
    const parsed = (Array.isArray(given) ? taskInputs : taskInput).safeParse(given);
    if (parsed.success) return parsed.data;
    context.issues.push(...parsed.error.issues.map((issue) => ({ ...issue, input: given }) as z.core.$ZodRawIssue));
    return z.NEVER;
  })
  .openapi("NewTaskOrTasks", {
    oneOf: [
      { $ref: "#/components/schemas/NewTask" },
      { type: "array", items: { $ref: "#/components/schemas/NewTask" }, minItems: 1, maxItems: bulkMax },
    ],
  });

export const taskQuery = z.strictObject({
  queue: queueName.optional(),
  status: z.enum(taskStatuses).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  q: z.string().min(1).max(200).optional().openapi({ description: "Part of the error's text" }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: taskId.optional(),
});

export const taskPage = z.object({ data: z.array(taskSummary), nextCursor: z.string().nullable() }).openapi("TaskPage");

const latency = z.object({ p50: z.number(), p95: z.number(), p99: z.number() });

export const queueView = z
  .object({
    name: queueName,
    paused: z.boolean(),
    counts: z.record(z.enum(taskStatuses), z.number().int()),
    oldestWaitingMs: z.number().int(),
    throughput: z.object({ perMinute1: z.number(), perMinute5: z.number(), perMinute60: z.number() }),
    waitMs: latency.nullable(),
    runMs: latency.nullable(),
    errors: z
      .record(z.string(), z.number().int())
      .openapi({ description: "Of the last hour, by the error's name", example: { TimedOut: 3 } }),
    workers: z.number().int(),
    use: z.number().openapi({ description: "The part of the workers' places that is taken, 0 to 1" }),
    concurrency: z.object({
      min: z.number().int().openapi({ description: "Of each worker thread" }),
      max: z.number().int(),
      current: z.number().int().openapi({ description: "Of all worker threads together" }),
    }),
  })
  .openapi("Queue");
