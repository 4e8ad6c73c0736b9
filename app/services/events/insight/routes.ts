import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { deadLetterQuery, eventStats, groupDeadLetterPage, groupName, redriveGroupRequest } from "./schema.ts";
import type { EventInsight } from "./service.ts";

/**
 * All for administrators.
 *
 * GET  /v1/events/stats
 * GET  /v1/events/groups/:name/dead-letters
 * POST /v1/events/groups/:name/redrive
 */
export function eventInsightRoutes({ eventInsight, guards }: { readonly eventInsight: EventInsight; readonly guards: Guards }) {
  const params = z.object({ name: groupName });
  const common = { tags: ["events"], security: keySecurity, middleware: guards.admin };
  const refusals = ["unauthenticated", "insufficient_scope", "forbidden"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/events/stats",
        summary: "How the bus does: the log, publishing, the durable groups",
        responses: { 200: jsonAnswer("The figures", z.object({ stats: eventStats })), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json({ stats: await eventInsight.stats() }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/events/groups/{name}/dead-letters",
        summary: "Events that a durable group could not handle, newest first",
        request: { params, query: deadLetterQuery },
        responses: {
          200: jsonAnswer("A page of dead letters", groupDeadLetterPage),
          ...problemAnswers(...refusals, "validation_failed", "not_found"),
        },
      }),
      async (c) => c.json(await eventInsight.deadLetters(c.req.valid("param").name, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/events/groups/{name}/redrive",
        summary: "Try dead letters of a group again: those of `ids`, or all",
        request: { params, body: { ...jsonBody(redriveGroupRequest), required: false } },
        responses: {
          202: jsonAnswer("How many", z.object({ redriven: z.number().int() })),
          ...problemAnswers(...refusals, "validation_failed", "not_found"),
        },
      }),
      async (c) => {
        const { ids } = c.req.valid("json") ?? {};
        return c.json(
          { redriven: await eventInsight.redrive({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").name, ids) },
          202,
        );
      },
    );
}
