import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../http/route.ts";
import { execution, executionAccepted, executionAnswer, executionPage, executionRequest, pageQuery, type SandboxBounds } from "./schema.ts";
import type { SandboxService } from "./service.ts";

/**
 * POST /v1/sandbox/executions
 * GET  /v1/sandbox/executions
 * GET  /v1/sandbox/executions/:id
 */
export function sandboxRoutes(deps: { readonly sandbox: SandboxService; readonly guards: Guards; readonly bounds: SandboxBounds }) {
  const { sandbox, guards, bounds } = deps;
  const common = { tags: ["sandbox"], security: keySecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/sandbox/executions",
        summary: "Run JavaScript nobody trusts",
        description:
          "The code sees `input`; it sets `output`, or ends with an expression, or is a module with `export default (input) => …`.",
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
        request: { params: z.object({ id: z.string().max(64) }) },
        responses: {
          200: jsonAnswer("The execution", z.object({ execution })),
          ...problemAnswers("unauthenticated", "insufficient_scope", "not_found"),
        },
      }),
      async (c) => c.json({ execution: await sandbox.get(actorOf(c), c.req.valid("param").id) }, 200),
    );
}
