import { z } from "zod";
import { Problem } from "../../platform/errors.ts";
import { fieldErrors } from "../../platform/field-errors.ts";
import { batchMax, cloudEvent, fromCloudEvent, type IncomingEvent, newEvent } from "./schema.ts";

const newEvents = z.array(newEvent).min(1).max(batchMax);
const cloudEvents = z.array(cloudEvent).min(1).max(batchMax);

/** What was sent, and how its parts are called in a refusal. */
export interface Incoming {
  readonly events: readonly IncomingEvent[];
  /** The path to the data of the event with this index; in binary mode the body is the data. */
  dataAt(index: number): readonly PropertyKey[];
}

export interface Message {
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed JSON. */
  readonly body: unknown;
}

/**
 * Reads events in the plain form (one or an array) or as CloudEvents 1.0 (HTTP binding §3): structured, batch or, when there are `ce-` headers, binary. Throws
 * `Problem` (`validation_failed`) naming every bad field.
 */
export function readIncoming({ headers, body }: Message): Incoming {
  const mediaType = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (mediaType === "application/cloudevents+json") return single(fromCloudEvent(parse(cloudEvent, body)));
  if (mediaType === "application/cloudevents-batch+json") return several(parse(cloudEvents, body).map(fromCloudEvent));
  if (headers["ce-specversion"] !== undefined || headers["ce-id"] !== undefined) return binary(headers, body);
  return Array.isArray(body) ? several(parse(newEvents, body)) : single(parse(newEvent, body));
}

function single(event: IncomingEvent): Incoming {
  return { events: [event], dataAt: () => ["data"] };
}

function several(events: readonly IncomingEvent[]): Incoming {
  return { events, dataAt: (index) => [index, "data"] };
}

/** HTTP binding §3.1: an attribute is a header `ce-<name>`, percent-encoded; the body is the data. */
function binary(headers: Message["headers"], data: unknown): Incoming {
  const attributes = Object.entries(headers)
    .filter(([name]) => name.startsWith("ce-"))
    .map(([name, value]) => [name.slice("ce-".length), decoded(name, value)] as const);
  const given = { ...Object.fromEntries(attributes), datacontenttype: headers["content-type"], data };
  const parsed = cloudEvent.safeParse(given);
  if (parsed.success) return { events: [fromCloudEvent(parsed.data)], dataAt: () => [] };
  throw new Problem("validation_failed", {
    detail: "One or more headers are not as expected.",
    errors: fieldErrors(parsed.error, (path) => `header.ce-${path.join(".")}`),
  });
}

function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value.startsWith('"') ? value.slice(1, -1) : value);
  } catch {
    throw new Problem("validation_failed", { errors: [{ pointer: `header.${name}`, detail: "is not percent-encoded UTF-8" }] });
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Problem("validation_failed", { detail: "One or more fields are not as expected.", errors: fieldErrors(parsed.error) });
}
