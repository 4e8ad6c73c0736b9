import { createRoute, z } from "@hono/zod-openapi";
import type { WhoAsks } from "../../../http/authenticate.ts";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { describeEvents } from "./asyncapi.ts";
import { eventType, eventTypeList, eventTypeName, eventTypeQuery, registerEventType } from "./schema.ts";
import type { EventTypeService } from "./service.ts";

export interface EventTypeRoutesDeps {
  readonly eventTypes: EventTypeService;
  readonly whoAsks: WhoAsks;
  readonly publicUrl: string;
  readonly guards: Guards;
}

/**
 * GET /v1/event-types
 * GET /v1/event-types/:type
 * PUT /v1/event-types/:type   administrators
 * GET /asyncapi.json          open: the types of the program; for who is signed in also those that were registered
 */
export function eventTypeRoutes({ eventTypes, whoAsks, publicUrl, guards }: EventTypeRoutesDeps) {
  const params = z.object({ type: eventTypeName });
  const common = { tags: ["events"], security: keySecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/event-types",
        summary: "Every event type with its schema",
        responses: { 200: jsonAnswer("The catalogue", eventTypeList), ...problemAnswers("unauthenticated", "insufficient_scope") },
      }),
      async (c) => c.json({ data: await eventTypes.list(), nextCursor: null }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/event-types/{type}",
        summary: "One event type, in its newest version or the one asked for",
        request: { params, query: eventTypeQuery },
        responses: {
          200: jsonAnswer("The type", z.object({ eventType })),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "unknown_event_type"),
        },
      }),
      async (c) => c.json({ eventType: await eventTypes.get(c.req.valid("param").type, c.req.valid("query").version) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        middleware: guards.admin,
        method: "put",
        path: "/v1/event-types/{type}",
        summary: "Register a type of your own, or another version of it",
        description: "Another schema makes another version: events that were published before keep the one they were checked against.",
        request: { params, body: jsonBody(registerEventType) },
        responses: {
          200: jsonAnswer("The type, which was there before", z.object({ eventType })),
          201: jsonAnswer("The new type", z.object({ eventType })),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "forbidden", "conflict"),
        },
      }),
      async (c) => {
        const call = { actor: actorOf(c), origin: c.env.origin };
        const { eventType: registered, created } = await eventTypes.register(call, c.req.valid("param").type, c.req.valid("json"));
        return c.json({ eventType: registered }, created ? 201 : 200);
      },
    )
    .openapi(
      createRoute({
        tags: ["events"],
        middleware: guards.open,
        method: "get",
        path: "/asyncapi.json",
        summary: "The catalogue of event types as AsyncAPI 3.0; with a log-in or key also the registered ones",
        responses: { 200: jsonAnswer("The document", z.record(z.string(), z.unknown())) },
      }),
      async (c) => {
        const types = (await whoAsks(c)) ? await eventTypes.list() : eventTypes.ofProgram();
        return c.json(describeEvents({ types, publicUrl }), 200);
      },
    );
}
