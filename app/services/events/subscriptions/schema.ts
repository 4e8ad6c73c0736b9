import { z } from "@hono/zod-openapi";
import { subscriptionStatuses } from "../../../../db/schema/subscriptions.ts";
import { typeLengthMax } from "../../../platform/bus/pattern.ts";
import { storableText } from "../../../platform/text.ts";

export const subscriptionId = z.string().max(64).openapi({ example: "sub_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

const pattern = z
  .string()
  .min(1)
  .max(typeLengthMax * 2);
/** One, or several. */
const patterns = z
  .union([pattern, z.array(pattern).min(1).max(20)])
  .transform((given) => (Array.isArray(given) ? [...new Set(given)] : [given]))
  .openapi({ description: "A pattern, or up to 20: * stands for one segment, > at the end for the rest", example: "task.*" });

const url = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .max(2_048)
  .refine((value) => URL.canParse(value) && new URL(value).username === "" && new URL(value).password === "", {
    error: "must not contain a user or password",
  })
  .openapi({ example: "https://example.com/hooks/keelson" });

const batch = z
  .strictObject({
    size: z.number().int().min(1).max(100),
    waitMs: z.number().int().min(0).max(60_000).default(1_000),
  })
  .openapi({ description: "Up to `size` events in one request (CloudEvents batch), waiting up to `waitMs` for them" });

const common = {
  concurrency: z
    .number()
    .int()
    .min(1)
    .max(50)
    .openapi({ description: "So many requests at once; events of one key go one after the other" }),
  batch,
  description: storableText(500),
};

export const createSubscriptionRequest = z
  .strictObject({
    pattern: patterns,
    url,
    concurrency: common.concurrency.default(5),
    batch: batch.optional(),
    description: common.description.default(""),
  })
  .openapi("NewSubscription");

export const updateSubscriptionRequest = z
  .strictObject({
    pattern: patterns.optional(),
    url: url.optional(),
    concurrency: common.concurrency.optional(),
    batch: batch.nullable().optional(),
    description: common.description.optional(),
    status: z.enum(["active", "paused"]).optional().openapi({ description: "`paused` keeps events until it is `active` again" }),
  })
  .openapi("SubscriptionChanges");

export const rotateSecretRequest = z
  .strictObject({
    overlapSeconds: z
      .number()
      .int()
      .min(0)
      .max(604_800)
      .optional()
      .openapi({ description: "So long the old secret signs too; a day unless it is given" }),
  })
  .openapi("RotateSecret");

export const replayRequest = z
  .strictObject({
    since: z
      .union([z.iso.datetime({ offset: true }), z.string().min(1).max(128)])
      .openapi({ description: "A time, or the id or cursor of the first event to send again", example: "2026-01-31T12:00:00Z" }),
  })
  .openapi("ReplayRequest");

export const redriveRequest = z
  .strictObject({ deliveryIds: z.array(z.string().max(64)).min(1).max(1_000).optional() })
  .openapi("RedriveDeliveries");

export const subscription = z
  .object({
    id: subscriptionId,
    pattern: z.array(z.string()),
    url: z.string(),
    description: z.string(),
    status: z.enum(subscriptionStatuses),
    disabledReason: z.string().optional(),
    concurrency: z.number().int(),
    batch: z.object({ size: z.number().int(), waitMs: z.number().int() }).optional(),
    failingSince: z.iso.datetime().optional(),
    teamId: z.string().optional(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi("Subscription");

const secret = z.string().openapi({ description: "Standard Webhooks; shown only here", example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
export const subscriptionAnswer = z.object({ subscription });
export const createdSubscription = z.object({ subscription, secret });
export const rotatedSecret = z.object({ secret, previousExpiresAt: z.iso.datetime() });
export const subscriptionPage = z.object({ data: z.array(subscription), nextCursor: z.string().nullable() }).openapi("SubscriptionPage");
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});

const latency = z.object({ p50: z.number(), p95: z.number(), p99: z.number() });
export const subscriptionStats = z
  .object({
    deliveries: z
      .object({ pending: z.number().int(), delivered: z.number().int(), dead: z.number().int() })
      .openapi({ description: "Those still remembered: delivered ones for a day, dead ones for a month" }),
    perMinute: z.number().openapi({ description: "Delivered, of the last hour" }),
    errors: z.number().int().openapi({ description: "Attempts of the last hour that failed" }),
    latencyMs: latency
      .nullable()
      .openapi({ description: "From the publishing of an event to the answer of its receiver, of the last hour" }),
    lag: z
      .object({ events: z.number().int(), ms: z.number() })
      .openapi({ description: "What waits to be delivered, and the age of the oldest of it" }),
    lastSuccessAt: z.iso.datetime().optional(),
    lastFailureAt: z.iso.datetime().optional(),
    lastError: z.string().optional(),
  })
  .openapi("SubscriptionStats");

export const deadDelivery = z
  .object({
    id: z.string(),
    attempts: z.number().int(),
    responseStatus: z.number().int().optional(),
    error: z.string(),
    events: z.array(z.record(z.string(), z.unknown())).openapi({ description: "As CloudEvents" }),
    createdAt: z.iso.datetime(),
    endedAt: z.iso.datetime(),
  })
  .openapi("DeadDelivery");
export const deadDeliveryPage = z.object({ data: z.array(deadDelivery), nextCursor: z.string().nullable() }).openapi("DeadDeliveryPage");
