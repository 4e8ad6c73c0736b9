import { z } from "@hono/zod-openapi";

const latency = z.object({ p50: z.number(), p95: z.number(), p99: z.number() });

const groupView = z
  .object({
    name: z.string(),
    patterns: z.array(z.string()),
    isWorked: z.boolean().openapi({ description: "Whether a copy works for it right now" }),
    lag: z
      .object({ events: z.number().int(), ms: z.number() })
      .openapi({ description: "What it has not come to yet, counted up to 1000, and the age of the oldest of it" }),
    rate: z.number().openapi({ description: "Events a second, over the last minute" }),
    handled: z.number().int(),
    failed: z.number().int(),
    latencyMs: z.number().optional().openapi({ description: "From the storing of an event to its being handled, as a moving mean" }),
    deadLetters: z.number().int(),
    lastError: z.string().optional(),
  })
  .openapi("EventGroup");
export type GroupView = z.infer<typeof groupView>;

export const eventStats = z
  .object({
    length: z.number().int().openapi({ description: "Of the log" }),
    oldestAt: z.iso.datetime().optional(),
    newestAt: z.iso.datetime().optional(),
    deadLetters: z.number().int().openapi({ description: "Of the groups together; subscriptions have their own" }),
    publishMs: latency
      .nullable()
      .openapi({ description: "Of what clients published last at this copy, from asking the store to its answer" }),
    streams: z.number().int().openapi({ description: "Event streams of all kinds that are open at this copy" }),
    groups: z.array(groupView),
  })
  .openapi("EventStats");

export const groupName = z.string().max(128).openapi({ example: "webhooks" });
export const groupDeadLetter = z
  .object({
    id: z.string(),
    type: z.string(),
    attempts: z.number().int(),
    error: z.string(),
    event: z.record(z.string(), z.unknown()).openapi({ description: "As a CloudEvent" }),
    createdAt: z.iso.datetime(),
  })
  .openapi("EventDeadLetter");
export const groupDeadLetterPage = z
  .object({ data: z.array(groupDeadLetter), nextCursor: z.string().nullable() })
  .openapi("EventDeadLetterPage");
export const redriveGroupRequest = z
  .strictObject({ ids: z.array(z.string().max(64)).min(1).max(1_000).optional() })
  .openapi("RedriveEvents");
export const deadLetterQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});
