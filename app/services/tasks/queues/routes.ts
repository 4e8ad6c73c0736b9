import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { queueView, taskId } from "../schema.ts";
import type { QueueService } from "./service.ts";

/**
 * GET    /v1/queues
 * GET    /v1/queues/:name
 * POST   /v1/queues/:name/pause          (admin)
 * POST   /v1/queues/:name/resume         (admin)
 * POST   /v1/queues/:name/redrive
 * DELETE /v1/queues/:name/dead-letters   (admin)
 */
export function queueRoutes({ queues, guards }: { readonly queues: QueueService; readonly guards: Guards }) {
  const params = z.object({ name: z.string().max(64).openapi({ example: "sandbox-execution" }) });
  const common = { tags: ["tasks"], security: keySecurity, middleware: guards.signedIn };
  const one = z.object({ queue: queueView });

  const setPaused = (verb: "pause" | "resume", summary: string) =>
    createRoute({
      ...common,
      middleware: guards.admin,
      method: "post",
      path: `/v1/queues/{name}/${verb}` as const,
      summary,
      request: { params },
      responses: {
        200: jsonAnswer("The queue as it is now", one),
        ...problemAnswers("unauthenticated", "insufficient_scope", "forbidden", "not_found"),
      },
    });

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/queues",
        summary: "The queues: how many wait and run, how many end, how long it takes",
        description:
          "Throughput is in tasks per minute over the last 1, 5 and 60 minutes; waits and runs are those of the tasks that ended last, in ms.",
        responses: {
          200: jsonAnswer("The queues", z.object({ data: z.array(queueView) })),
          ...problemAnswers("unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json({ data: await queues.list() }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/queues/{name}",
        summary: "One queue",
        request: { params },
        responses: { 200: jsonAnswer("The queue", one), ...problemAnswers("unauthenticated", "insufficient_scope", "not_found") },
      }),
      async (c) => c.json({ queue: await queues.get(c.req.valid("param").name) }, 200),
    )
    .openapi(setPaused("pause", "Begin no more tasks of a queue; what runs goes on"), async (c) =>
      c.json({ queue: await queues.pause({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").name) }, 200),
    )
    .openapi(setPaused("resume", "Let a paused queue go on"), async (c) =>
      c.json({ queue: await queues.resume({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").name) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/queues/{name}/redrive",
        summary: "Give dead letters all their attempts again: the named ones, or all of yours; an administrator's, everybody's",
        request: {
          params,
          body: { ...jsonBody(z.strictObject({ taskIds: z.array(taskId).min(1).max(1_000).optional() })), required: false },
        },
        responses: {
          200: jsonAnswer("How many were put back", z.object({ redriven: z.number().int() })),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "not_found"),
        },
      }),
      async (c) => {
        const { taskIds } = c.req.valid("json") ?? {};
        return c.json(
          { redriven: await queues.redrive({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").name, taskIds) },
          200,
        );
      },
    )
    .openapi(
      createRoute({
        ...common,
        middleware: guards.admin,
        method: "delete",
        path: "/v1/queues/{name}/dead-letters",
        summary: "Forget the dead letters of a queue that ended before a moment; `GET /v1/tasks?queue=…&status=dead` lists them",
        request: {
          params,
          query: z.strictObject({ before: z.iso.datetime({ offset: true }).openapi({ example: "2026-01-31T00:00:00Z" }) }),
        },
        responses: {
          200: jsonAnswer("How many are gone; 50 000 at most in one go", z.object({ purged: z.number().int() })),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "forbidden", "not_found"),
        },
      }),
      async (c) => {
        const { before } = c.req.valid("query");
        return c.json(
          { purged: await queues.purge({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").name, new Date(before)) },
          200,
        );
      },
    );
}
