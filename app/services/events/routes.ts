import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, keySecurity, problemAnswers } from "../../http/route.ts";
import type { EventStreams } from "../../http/sse.ts";
import { readIncoming } from "./incoming.ts";
import { batchMax, cloudEvent, eventPage, eventQuery, newEvent, publishedIds, streamQuery } from "./schema.ts";
import type { EventService } from "./service.ts";
import type { EventStreamService } from "./stream/service.ts";

export interface EventRoutesDeps {
  readonly events: EventService;
  readonly eventStreams: EventStreamService;
  readonly guards: Guards;
  readonly streams: EventStreams;
}

/**
 * POST /v1/events
 * GET  /v1/events
 * GET  /v1/events/stream
 */
export function eventRoutes({ events, eventStreams, guards, streams }: EventRoutesDeps) {
  const common = { tags: ["events"], security: keySecurity, middleware: guards.signedIn };
  const routes = createRoutes();
  routes.openAPIRegistry.register("NewEvent", newEvent);
  routes.openAPIRegistry.register("CloudEvent", cloudEvent);

  return routes
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/events",
        summary: "Publish an event, or up to a thousand in an array",
        description: [
          "All are stored when this answers or, when one of them is refused, none; after a 503 some may be, so give them an `id` and send them again. CloudEvents 1.0 are taken in all three modes: structured, batch and binary (`ce-` headers).",
          "Events of one `key` (without it of one `subject`) keep their order; across keys no order is promised. An `id` that comes again within ten minutes is stored once.",
        ].join("\n\n"),
        request: { body: publishBody },
        responses: {
          202: jsonAnswer("The ids, in order", publishedIds),
          ...problemAnswers(
            "validation_failed",
            "unauthenticated",
            "insufficient_scope",
            "forbidden",
            "unknown_event_type",
            "payload_too_large",
          ),
        },
      }),
      async (c) => {
        const { requestId, traceparent } = c.env;
        const message = { headers: c.req.header(), body: await c.req.json<unknown>() };
        const ids = await events.publish({ actor: actorOf(c), requestId, traceparent }, readIncoming(message));
        return c.json({ ids }, 202);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/events",
        summary: "Recent events, newest first: those you may see",
        description:
          "Where there are many events that you may not see, a page can be short, even empty, although `nextCursor` says that more follow.",
        request: { query: eventQuery },
        responses: {
          200: jsonAnswer("A page of events", eventPage),
          ...problemAnswers("validation_failed", "invalid_pattern", "invalid_cursor", "unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json(await events.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/events/stream",
        summary: "Events as they happen, as server-sent events; without a pattern all that you may see",
        description:
          "Each message is a CloudEvent in JSON. Resume with Last-Event-ID, at any copy: nothing is missing and nothing comes twice. A message of the type `gap` says that events after it were forgotten meanwhile.",
        request: { query: streamQuery },
        responses: {
          200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
          ...problemAnswers(
            "validation_failed",
            "invalid_pattern",
            "invalid_cursor",
            "unauthenticated",
            "insufficient_scope",
            "too_many_streams",
          ),
        },
      }),
      async (c) => {
        const { pattern = [">"] } = c.req.valid("query");
        const after = c.req.header("last-event-id") || undefined;
        const source = await eventStreams.open(actorOf(c), { patterns: pattern, after });
        return streams.respond(c, source.parts, { endless: true, position: source.position });
      },
    );
}

const inArray = (name: string) =>
  ({ type: "array", items: { $ref: `#/components/schemas/${name}` }, minItems: 1, maxItems: batchMax }) as const;
/** What comes in is read by `readIncoming`, whom the headers tell how; this documents it. */
const publishBody = {
  required: true,
  content: {
    "application/json": {
      schema: z.unknown().openapi("NewEventOrEvents", { oneOf: [{ $ref: "#/components/schemas/NewEvent" }, inArray("NewEvent")] }),
    },
    "application/cloudevents+json": { schema: { $ref: "#/components/schemas/CloudEvent" } },
    "application/cloudevents-batch+json": { schema: inArray("CloudEvent") },
  },
} as const;
