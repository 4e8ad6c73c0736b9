import { z } from "@hono/zod-openapi";
import { typeLengthMax, typeShape } from "../../../platform/bus/pattern.ts";
import { audienceRules } from "../../../platform/events.ts";
import { storableText } from "../../../platform/text.ts";

export const eventTypeName = z
  .string()
  .max(typeLengthMax)
  .regex(typeShape, { error: "expected segments of letters, digits, _ and -, divided by dots" })
  .openapi({ example: "order.created" });

/** JSON Schema 2020-12. */
const jsonSchema = z
  .union([z.record(z.string(), z.unknown()), z.boolean()])
  .refine((schema) => JSON.stringify(schema).length <= 65_536, { error: "has more than 65536 bytes" })
  .openapi({ type: "object", description: "JSON Schema 2020-12 of the data" });

const audience = z.enum(audienceRules).openapi({
  description:
    "Who may see events of the type, beside administrators: `owner` whom each is addressed to (its publisher unless it says otherwise), `admins` nobody else, `everybody` whoever is signed in",
});

const retention = {
  retentionHours: z.number().int().min(1).max(8_760).optional().openapi({ description: "Instead of KEELSON_EVENT_RETENTION_HOURS" }),
  lengthMax: z.number().int().min(1).max(10_000_000).optional().openapi({ description: "So many of the newest are kept" }),
};

export const eventType = z
  .object({
    type: eventTypeName,
    version: z.number().int().min(1),
    owner: z.string(),
    audience,
    description: z.string(),
    publishable: z.boolean().openapi({
      description: "Whether it may be published over HTTP; of the types that come with the program only some, by administrators",
    }),
    schema: jsonSchema,
    ...retention,
    createdAt: z.iso.datetime().optional(),
  })
  .openapi("EventType");

export const eventTypeList = z.object({ data: z.array(eventType), nextCursor: z.null() }).openapi("EventTypeList");

export const registerEventType = z
  .strictObject({
    schema: jsonSchema,
    description: storableText(2_000).default(""),
    audience: audience.default("owner"),
    ...retention,
  })
  .openapi("RegisterEventType");

export const eventTypeQuery = z.strictObject({ version: z.coerce.number().int().min(1).max(1_000_000).optional() });
