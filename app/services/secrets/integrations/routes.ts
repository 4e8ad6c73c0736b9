import { createRoute } from "@hono/zod-openapi";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import { createIntegrationRequest, integrationAnswer, integrationId, integrationList, updateIntegrationRequest } from "./schema.ts";
import type { IntegrationService } from "./service.ts";

/**
 * POST   /v1/integrations
 * GET    /v1/integrations
 * GET    /v1/integrations/:id
 * PATCH  /v1/integrations/:id
 * DELETE /v1/integrations/:id
 */
export function integrationRoutes({ integrations, guards }: { readonly integrations: IntegrationService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.admin };
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/integrations",
        summary: "Let users connect to another service outside, by OAuth 2.0",
        request: { body: jsonBody(createIntegrationRequest) },
        responses: {
          201: jsonAnswer("The integration, without its secret", integrationAnswer),
          ...problemAnswers("validation_failed", "conflict"),
        },
      }),
      async (c) => c.json({ integration: await integrations.create(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/integrations",
        summary: "Services that users connect to",
        responses: { 200: jsonAnswer("The integrations, by name", integrationList) },
      }),
      async (c) => c.json(await integrations.list(), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/integrations/{id}",
        summary: "One of the services that users connect to",
        request: { params: integrationId },
        responses: { 200: jsonAnswer("The integration", integrationAnswer), ...problemAnswers("not_found") },
      }),
      async (c) => c.json({ integration: await integrations.get(c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/integrations/{id}",
        summary: "Change an integration, or switch it on or off",
        request: { params: integrationId, body: jsonBody(updateIntegrationRequest) },
        responses: { 200: jsonAnswer("The integration", integrationAnswer), ...problemAnswers("validation_failed", "not_found") },
      }),
      async (c) => c.json({ integration: await integrations.update(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/integrations/{id}",
        summary: "Delete an integration, with all connections to it",
        request: { params: integrationId },
        responses: { 204: { description: "It is gone" }, ...problemAnswers("not_found") },
      }),
      async (c) => {
        await integrations.delete(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    );
}
