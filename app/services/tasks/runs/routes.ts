import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import type { SandboxBounds } from "../../sandbox/schema.ts";
import { longRunningQuery } from "../long-running/schema.ts";
import { runAnswer, runId, runPage, runRequest } from "./schema.ts";
import type { RunService } from "./service.ts";

export interface RunRoutesDeps {
  readonly runs: RunService;
  readonly guards: Guards;
  readonly bounds: SandboxBounds;
}

/**
 * POST /v1/runs
 * GET  /v1/runs
 * GET  /v1/runs/:id
 */
export function runRoutes({ runs, guards, bounds }: RunRoutesDeps) {
  const common = { tags: ["tasks"], security: keySecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/runs",
        summary: "Run programs one after the other, however long it takes",
        description: [
          "Each step is a program (`code`) or a rest (`waitMs`). A program sees as `input` its own `input` with `previous` added to it: the output of the program before, null for the first.",
          "What a step has put out is saved when it is done. A run that lost its worker, failed, or was paused goes on after the last step that was done.",
          "`/v1/tasks/{taskId}` pauses, resumes, cancels and retries it, and streams what happens.",
        ].join("\n\n"),
        request: { body: jsonBody(runRequest(bounds)) },
        responses: {
          202: jsonAnswer("The run that was accepted", runAnswer),
          ...problemAnswers("validation_failed", "forbidden", "payload_too_large", "queue_full"),
        },
      }),
      async (c) => c.json({ run: await runs.create(actorOf(c), c.req.valid("json"), c.env.requestId) }, 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/runs",
        summary: "Runs, newest first; your own, or all of them for an administrator",
        request: { query: longRunningQuery },
        responses: { 200: jsonAnswer("A page of runs", runPage), ...problemAnswers("validation_failed", "invalid_cursor") },
      }),
      async (c) => c.json(await runs.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/runs/{id}",
        summary: "One run, and how far it has come",
        request: { params: z.object({ id: runId }) },
        responses: { 200: jsonAnswer("The run", runAnswer), ...problemAnswers("validation_failed", "not_found") },
      }),
      async (c) => c.json({ run: await runs.get(actorOf(c), c.req.valid("param").id) }, 200),
    );
}
