import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, keySecurity, problemAnswers } from "../../../http/route.ts";
import { auditPage, auditQuery, checkpointAnswer, exportQuery } from "./schema.ts";
import type { AuditService } from "./service.ts";

/**
 * GET /v1/audit
 * GET /v1/audit/export
 * GET /v1/audit/checkpoint
 */
export function auditRoutes({ audit, guards }: { readonly audit: AuditService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/audit",
        summary: "The audit trail, newest first",
        description: "What you did and what is yours or your teams'; administrators see all.",
        request: { query: auditQuery },
        responses: { 200: jsonAnswer("A page of entries", auditPage), ...problemAnswers("validation_failed") },
      }),
      async (c) => c.json(await audit.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        middleware: guards.admin,
        method: "get",
        path: "/v1/audit/export",
        summary: "The audit trail as a file, oldest first",
        description:
          "NDJSON that `keelson verify-audit <file>` checks without this server: each entry with its hash, and at the end a signed checkpoint. Or CEF for a SIEM. Without a filter it is the whole chain.",
        request: { query: exportQuery },
        responses: {
          200: { description: "The trail, as long as it is: application/x-ndjson, or text/plain" },
          ...problemAnswers("validation_failed", "unavailable"),
        },
      }),
      async (c) => {
        const query = c.req.valid("query");
        const lines = await audit.export({ actor: actorOf(c), origin: c.env.origin }, query);
        const isCef = query.format === "cef";
        return c.body(toStream(lines), 200, {
          "content-type": isCef ? "text/plain; charset=utf-8" : "application/x-ndjson",
          "content-disposition": `attachment; filename="audit.${isCef ? "cef" : "ndjson"}"`,
          "cache-control": "no-store",
        });
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/audit/checkpoint",
        summary: "A signature over the trail as it is now",
        responses: { 200: jsonAnswer("The checkpoint, and the key that signed it", checkpointAnswer), ...problemAnswers("unavailable") },
      }),
      async (c) => c.json(await audit.checkpoint(), 200),
    );
}

/** Takes the next page when the client has taken the last one, and no more once it has gone. */
function toStream(lines: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { value, done } = await lines.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: async () => {
        await lines.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}
