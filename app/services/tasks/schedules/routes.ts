import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import {
  createScheduleRequest,
  scheduleAnswer,
  scheduleId,
  schedulePage,
  scheduleQuery,
  upcomingAnswer,
  upcomingQuery,
  updateScheduleRequest,
} from "./schema.ts";
import type { ScheduleService } from "./service.ts";

/**
 * POST   /v1/schedules
 * GET    /v1/schedules
 * GET    /v1/schedules/:id
 * PATCH  /v1/schedules/:id
 * DELETE /v1/schedules/:id
 * GET    /v1/schedules/:id/upcoming
 * POST   /v1/schedules/:id/run
 */
export function scheduleRoutes({ schedules, guards }: { readonly schedules: ScheduleService; readonly guards: Guards }) {
  const params = z.object({ id: scheduleId });
  const common = { tags: ["tasks"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["unauthenticated", "insufficient_scope"] as const;
  const readProblems = [...refusals, "validation_failed"] as const;
  const writeProblems = [...readProblems, "malformed_json", "unsupported_media_type", "payload_too_large", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/schedules",
        summary: "Make a task again and again: by cron expression or at an interval",
        description: "Each tick makes exactly one task, however many copies run. The input is checked now and again at each tick.",
        request: { body: jsonBody(createScheduleRequest) },
        responses: { 201: jsonAnswer("The schedule", scheduleAnswer), ...problemAnswers(...writeProblems, "not_found", "conflict") },
      }),
      async (c) => c.json({ schedule: await schedules.create(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/schedules",
        summary: "Schedules, newest first; your own, or all of them for an administrator",
        request: { query: scheduleQuery },
        responses: { 200: jsonAnswer("A page of schedules", schedulePage), ...problemAnswers(...readProblems) },
      }),
      async (c) => c.json(await schedules.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/schedules/{id}",
        summary: "One schedule",
        request: { params },
        responses: { 200: jsonAnswer("The schedule", scheduleAnswer), ...problemAnswers(...readProblems, "not_found") },
      }),
      async (c) => c.json({ schedule: await schedules.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/schedules/{id}",
        summary: "Change, pause or resume a schedule",
        description: "Resumed, it goes on with the next tick: what fell into the pause is not made up for.",
        request: { params, body: jsonBody(updateScheduleRequest) },
        responses: { 200: jsonAnswer("The schedule", scheduleAnswer), ...problemAnswers(...writeProblems, "forbidden", "not_found") },
      }),
      async (c) => c.json({ schedule: await schedules.update(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/schedules/{id}",
        summary: "Delete a schedule; the tasks it made stay",
        request: { params },
        responses: { 204: { description: "No tick comes any more" }, ...problemAnswers(...refusals, "forbidden", "not_found") },
      }),
      async (c) => {
        await schedules.delete(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/schedules/{id}/upcoming",
        summary: "When it ticks next; empty while it is paused",
        request: { params, query: upcomingQuery },
        responses: { 200: jsonAnswer("The next ticks", upcomingAnswer), ...problemAnswers(...readProblems, "not_found") },
      }),
      async (c) => c.json({ data: await schedules.upcoming(actorOf(c), c.req.valid("param").id, c.req.valid("query").count) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/schedules/{id}/run",
        summary: "Make one task of it at once",
        request: { params },
        responses: {
          202: jsonAnswer("The task", z.object({ taskId: z.string() })),
          ...problemAnswers(...readProblems, "forbidden", "not_found"),
        },
      }),
      async (c) => c.json(await schedules.run(callOf(c), c.req.valid("param").id), 202),
    );
}

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
