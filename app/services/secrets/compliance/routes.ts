import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { createRoutes, type Guards, keySecurity, problemAnswers } from "../../../http/route.ts";
import { reportPage } from "./page.ts";
import { complianceReport, reportQuery } from "./schema.ts";
import type { ComplianceService } from "./service.ts";

/**
 * GET /v1/compliance/report
 */
export function complianceRoutes({ compliance, guards }: { readonly compliance: ComplianceService; readonly guards: Guards }) {
  return createRoutes().openapi(
    createRoute({
      tags: ["secrets"],
      security: keySecurity,
      middleware: guards.signedIn,
      method: "get",
      path: "/v1/compliance/report",
      summary: "How well secrets are kept: yours, a team's, or for administrators everybody's",
      description: "With the signed checkpoint of the audit trail that it rests on. `format=html` is a page for people.",
      request: { query: reportQuery },
      responses: {
        200: {
          description: "The report",
          content: { "application/json": { schema: complianceReport }, "text/html": { schema: z.string() } },
        },
        ...problemAnswers("validation_failed", "not_found", "forbidden", "unavailable"),
      },
    }),
    async (c) => {
      const { format, ...query } = c.req.valid("query");
      const report = await compliance(actorOf(c), { ...query, format });
      if (format === "json") return c.json(report, 200);
      return c.html(reportPage(report), 200, pageHeaders);
    },
  );
}
