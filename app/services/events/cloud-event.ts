import type { z } from "zod";
import type { StoredEvent } from "../../platform/bus/port.ts";
import type { EventContract } from "../../platform/events.ts";
import type { publishedEvent } from "./schema.ts";

export type CloudEvent = z.infer<typeof publishedEvent>;
export type ToCloudEvent = (event: StoredEvent) => CloudEvent;

export interface CloudEventOptions {
  readonly catalogue: ReadonlyMap<string, EventContract>;
  /** Where this installation is reached: the schemas of types are below it. */
  readonly publicUrl: string;
}

/** A stored event as CloudEvents 1.0 (§3): its source is the service that owns the type, unless its publisher has said another. */
export function createToCloudEvent({ catalogue, publicUrl }: CloudEventOptions): ToCloudEvent {
  return (event) => {
    const { key, requestId, extensions, version = 1 } = event;
    return {
      ...extensions,
      specversion: "1.0",
      id: event.id,
      source: event.source ?? `/keelson/${catalogue.get(event.type)?.owner ?? "custom"}`,
      type: event.type,
      time: event.time,
      ...given("subject", event.subject),
      datacontenttype: "application/json",
      dataschema: `${publicUrl}/v1/event-types/${event.type}?version=${version}`,
      ...given("partitionkey", key),
      ...given("traceparent", event.traceparent),
      ...given("actor", event.actor),
      ...given("tenant", event.tenant),
      ...given("requestid", requestId),
      cursor: event.cursor,
      data: event.data,
    };
  };
}

function given<Name extends string>(name: Name, value: string | undefined): { readonly [name in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [name in Name]: string });
}
