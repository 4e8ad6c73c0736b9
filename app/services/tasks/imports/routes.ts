import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { importAnswer, importId, importRequest } from "./schema.ts";
import type { ImportService } from "./service.ts";

/**
 * POST /v1/imports
 * GET  /v1/imports/:id
 */
export function importRoutes({ imports, guards }: { readonly imports: ImportService; readonly guards: Guards }) {
  const common = { tags: ["tasks"], security: bearerSecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/imports",
        summary: "Take over what the document of an export holds, from this installation or another",
        description: [
          "Your name and your schedules are made anew, with ids of their own; what is there just so is left alone, so that a document may be sent twice.",
          "Nothing else of the document is looked at: roles, log-ins, keys and what has happened belong to where it comes from. The name and schedules may have 256 KiB; leave out the rest of `data` when the whole is more than a request may have.",
        ].join("\n\n"),
        request: { body: jsonBody(importRequest) },
        responses: {
          202: jsonAnswer("The import that was accepted", importAnswer),
          ...problemAnswers("validation_failed", "payload_too_large", "queue_full"),
        },
      }),
      async (c) => c.json({ import: await imports.create(actorOf(c), c.req.valid("json"), c.env.requestId) }, 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/imports/{id}",
        summary: "An import; its result says what was left out, and why",
        request: { params: z.object({ id: importId }) },
        responses: { 200: jsonAnswer("The import", importAnswer), ...problemAnswers("validation_failed", "not_found") },
      }),
      async (c) => c.json({ import: await imports.get(actorOf(c), c.req.valid("param").id) }, 200),
    );
}
