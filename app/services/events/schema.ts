import { z } from "@hono/zod-openapi";
import { patternFault, typeLengthMax } from "../../platform/bus/pattern.ts";
import { eventTypeName } from "./types/schema.ts";

/** Without control characters and half surrogate pairs, which no header and no index takes. */
const label = (lengthMax: number) =>
  z.string().regex(new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${lengthMax}}$`, "u"), {
    error: `expected 1 to ${lengthMax} characters, none of them a control character`,
  });

const id = label(128).openapi({ description: "The publisher's own; one that comes again within ten minutes is stored once" });
const subject = label(256).openapi({ example: "order-42" });
const key = label(256).openapi({ description: "Events of one key stay in order; without it those of one subject do" });
const source = label(512);
const time = z.iso.datetime({ offset: true }).transform((value) => new Date(value).toISOString());
const traceparent = z
  .string()
  .regex(/^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/, { error: "expected a W3C traceparent" });
const audience = z
  .string()
  .regex(/^(usr|team)_[0-9a-f]{32}$/, { error: "expected the id of a user or a team" })
  .openapi({ description: "Administrators only: the user or the team that may see it, instead of its publisher" });

/** One event as it was sent, in whichever of the ways. */
export interface IncomingEvent {
  readonly id?: string | undefined;
  readonly type: string;
  readonly source?: string | undefined;
  readonly subject?: string | undefined;
  readonly key?: string | undefined;
  readonly time?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly audience?: string | undefined;
  readonly extensions?: Readonly<Record<string, string | number | boolean>>;
  readonly data?: unknown;
}

export const newEvent = z
  .strictObject({
    type: eventTypeName,
    subject: subject.optional(),
    key: key.optional(),
    data: z.unknown().openapi({ example: { total: 42 } }),
    id: id.optional(),
    time: time.optional(),
    audience: audience.optional(),
  })
  .openapi("NewEvent");

/** CloudEvents 1.0 §3, with the extensions for partitioning and distributed tracing. What the bus says of an event nobody else may. */
const ours = ["actor", "tenant", "requestid", "cursor"];
const attributeName = /^[a-z0-9]{1,20}$/;

export const cloudEvent = z
  .object({
    specversion: z.literal("1.0"),
    id,
    source,
    type: eventTypeName,
    subject: subject.optional(),
    time: time.optional(),
    datacontenttype: z
      .string()
      .regex(/^application\/([\w.-]+\+)?json\s*(;.*)?$/i, { error: "expected a JSON type: data of others is not taken" })
      .optional(),
    dataschema: z.string().max(2_048).optional(),
    partitionkey: key.optional(),
    traceparent: traceparent.optional(),
    tracestate: z.string().max(512).optional(),
    audience: audience.optional(),
    data: z.unknown(),
  })
  .catchall(z.union([z.string().max(1_024), z.number().int().min(-2_147_483_648).max(2_147_483_647), z.boolean()]))
  .superRefine((event, context) => {
    for (const name of Object.keys(event)) {
      const fault = attributeFault(name);
      if (fault) context.addIssue({ code: "custom", path: [name], message: fault });
    }
  })
  .openapi("CloudEvent");

function attributeFault(name: string): string | undefined {
  if (name === "data_base64") return "binary data is not taken: send JSON as `data`";
  if (ours.includes(name)) return "is said by the bus, not by the publisher";
  return attributeName.test(name) ? undefined : "no name of an attribute: 1 to 20 of a-z and 0-9 (CloudEvents 1.0 §3.1)";
}

const standard = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "partitionkey",
  "traceparent",
  "audience",
  "data",
]);

export function fromCloudEvent(event: z.infer<typeof cloudEvent>): IncomingEvent {
  const { id, source, type, subject, time, partitionkey: key, traceparent, audience, data } = event;
  const others = Object.entries(event).filter((entry): entry is [string, string | number | boolean] => !standard.has(entry[0]));
  const extensions = Object.fromEntries(others);
  return { id, source, type, subject, time, key, traceparent, audience, data, ...(others.length > 0 ? { extensions } : {}) };
}

export const batchMax = 1_000;

export const publishedIds = z.object({ ids: z.array(z.string()) }).openapi("PublishedEvents");

/** As it is given out: CloudEvents 1.0 with the data as JSON. */
export const publishedEvent = z
  .object({
    specversion: z.literal("1.0"),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    time: z.string(),
    subject: z.string().optional(),
    datacontenttype: z.literal("application/json"),
    dataschema: z.string(),
    data: z.unknown(),
    partitionkey: z.string().optional(),
    traceparent: z.string().optional(),
    actor: z.string().optional().openapi({ description: "The user on whose authority it happened" }),
    tenant: z.string().optional().openapi({ description: "The team whose it is" }),
    requestid: z.string().optional(),
    cursor: z.string().openapi({ description: "Its place in the log: what a stream resumes after" }),
  })
  .catchall(z.unknown())
  .openapi("PublishedEvent");

const pattern = z
  .string()
  .max(typeLengthMax * 2)
  .openapi({ example: "task.*", description: "A type, in which * stands for one segment and > at the end for the rest" });

export const eventPage = z.object({ data: z.array(publishedEvent), nextCursor: z.string().nullable() }).openapi("EventPage");

/** The same parameter may come several times: one value arrives as a string, more as an array. */
const patterns = z.union([pattern, z.array(pattern)]).transform((given) => (Array.isArray(given) ? given : [given]));

export const eventQuery = z.strictObject({
  pattern: patterns.optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(41).optional(),
});

export const streamQuery = z.strictObject({ pattern: patterns.optional() });

/** What is wrong with any of them, and where. */
export function faultOf(patterns: readonly string[]): string | undefined {
  for (const given of patterns) {
    const fault = patternFault(given);
    if (fault) return `The pattern "${given}" ${fault}.`;
  }
  return undefined;
}
