import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../http/route.ts";
import type { createSandboxInsight } from "./insight/service.ts";
import {
  execution,
  executionAccepted,
  executionAnswer,
  executionPage,
  executionRequest,
  metricsQuery,
  pageQuery,
  replayAnswer,
  type SandboxBounds,
  sandboxMetrics,
  validation,
  validationRequest,
} from "./schema.ts";
import type { SandboxService } from "./service.ts";

const idParam = z.object({ id: z.string().max(64) });

const howCodeRuns = [
  "The code sees `input`; it sets `output`, or ends with an expression, or is a module with `export default (input) => …`. Promises are settled within the time limit.",
  "Output is JSON. What JSON has no word for is an object with one key: `$date` (RFC 3339, null for an invalid one), `$map` (pairs), `$set` (values), `$bigint` (decimal),",
  "`$typedArray` (`type`, which may be ArrayBuffer, and `base64` of the bytes, little-endian); an object of the program's own whose only key begins with `$` comes inside `$object`.",
  "Numbers that JSON has not are null; functions, symbols and cycles are refused with their path.",
].join(" ");

/**
 * POST /v1/sandbox/executions
 * GET  /v1/sandbox/executions
 * GET  /v1/sandbox/executions/:id
 * POST /v1/sandbox/executions/:id/replay
 * POST /v1/sandbox/validate
 * GET  /v1/sandbox/metrics
 */
export function sandboxRoutes(deps: {
  readonly sandbox: SandboxService;
  readonly sandboxInsight: ReturnType<typeof createSandboxInsight>;
  readonly guards: Guards;
  readonly bounds: SandboxBounds;
}) {
  const { sandbox, sandboxInsight, guards, bounds } = deps;
  const common = { tags: ["sandbox"], security: keySecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/sandbox/executions",
        summary: "Run JavaScript nobody trusts",
        description: howCodeRuns,
        request: { body: jsonBody(executionRequest(bounds)) },
        responses: {
          200: jsonAnswer("It ran; how it ended is in `execution.status`", executionAnswer),
          202: jsonAnswer("It will run as a task: follow GET /v1/tasks/{taskId}/stream", executionAccepted),
          ...problemAnswers(
            "validation_failed",
            "malformed_json",
            "unauthenticated",
            "insufficient_scope",
            "payload_too_large",
            "unsupported_media_type",
            "rate_limited",
            "cpu_budget_spent",
            "unavailable",
          ),
        },
      }),
      async (c) => {
        const input = c.req.valid("json");
        const verb = input.wait ? sandbox.run : sandbox.submit;
        const answer = await verb(actorOf(c), input, { requestId: c.env.requestId, signal: c.req.raw.signal });
        return "taskId" in answer ? c.json(answer, 202) : c.json(answer, 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/sandbox/executions",
        summary: "Executions, newest first",
        request: { query: pageQuery },
        responses: {
          200: jsonAnswer("A page of executions", executionPage),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json(await sandbox.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/sandbox/executions/{id}",
        summary: "One execution",
        request: { params: idParam },
        responses: {
          200: jsonAnswer("The execution", z.object({ execution })),
          ...problemAnswers("unauthenticated", "insufficient_scope", "not_found"),
        },
      }),
      async (c) => c.json({ execution: await sandbox.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/sandbox/executions/{id}/replay",
        summary: "Run a finished execution once more, and compare",
        description:
          "With the same code, input, limits and randomness. One that was given a `seed` comes out the same, byte for byte. Nothing is stored.",
        request: { params: idParam },
        responses: {
          200: jsonAnswer("What differs", replayAnswer),
          ...problemAnswers("unauthenticated", "insufficient_scope", "not_found", "conflict", "cpu_budget_spent", "unavailable"),
        },
      }),
      async (c) => c.json(await sandbox.replay(actorOf(c), c.req.valid("param").id, { signal: c.req.raw.signal }), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/sandbox/validate",
        summary: "Look at code without running it",
        description: "Whether it compiles, as what, and which capabilities it seems to use that are not granted.",
        request: { body: jsonBody(validationRequest(bounds)) },
        responses: {
          200: jsonAnswer("What it is, or what is wrong with it", validation),
          ...problemAnswers(
            "validation_failed",
            "malformed_json",
            "unauthenticated",
            "insufficient_scope",
            "payload_too_large",
            "unsupported_media_type",
            "cpu_budget_spent",
            "unavailable",
          ),
        },
      }),
      async (c) => c.json(await sandbox.validate(actorOf(c), c.req.valid("json"), { signal: c.req.raw.signal }), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/sandbox/metrics",
        summary: "How executions went",
        description: "Your own, or the team's, and for administrators everybody's, since a moment; by default of the last day.",
        request: { query: metricsQuery },
        responses: {
          200: jsonAnswer("Counts, errors, times and memory", sandboxMetrics),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json(await sandboxInsight(actorOf(c), c.req.valid("query")), 200),
    );
}
