import { createRoute, type RouteConfig, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, problemAnswers } from "../../../http/route.ts";
import { exportAnswer, exportId } from "./schema.ts";
import type { ExportService } from "./service.ts";

/** Its type says nothing of the body, which is sent as it is kept and never parsed. */
const documentAnswer: RouteConfig["responses"] = {
  200: { description: "The document", content: { "application/json": { schema: { type: "object" } } } },
};

/**
 * POST /v1/exports
 * GET  /v1/exports/:id
 * GET  /v1/exports/:id/download
 */
export function exportRoutes({ exports, guards }: { readonly exports: ExportService; readonly guards: Guards }) {
  const params = z.object({ id: exportId });
  const common = { tags: ["tasks"], security: bearerSecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/exports",
        summary: "Have everything that is kept about you written into one document",
        description:
          "It takes a log-in: no API key sees everything. While one is being written, the answer is that one. The newest three are kept, for seven days.",
        responses: { 202: jsonAnswer("The export that is being written", exportAnswer), ...problemAnswers("queue_full") },
      }),
      async (c) => c.json({ export: await exports.create(callOf(c)) }, 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/exports/{id}",
        summary: "Whether an export is ready; your own only",
        request: { params },
        responses: { 200: jsonAnswer("The export", exportAnswer), ...problemAnswers("validation_failed", "not_found") },
      }),
      async (c) => c.json({ export: await exports.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/exports/{id}/download",
        summary: "The document: `{format, version, userId, exportedAt, data}` with what each service keeps under `data`",
        request: { params },
        responses: {
          ...documentAnswer,
          ...problemAnswers("validation_failed", "not_found", "export_not_ready"),
        },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        return c.body(await exports.download(callOf(c), id), 200, {
          "content-type": "application/json",
          "content-disposition": `attachment; filename="keelson-${id}.json"`,
          "cache-control": "no-store",
        });
      },
    );
}

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
