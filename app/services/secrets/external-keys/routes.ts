import { createRoute } from "@hono/zod-openapi";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import {
  createExternalKeyRequest,
  externalKeyAnswer,
  externalKeyId,
  externalKeyList,
  externalKeyQuery,
  updateExternalKeyRequest,
} from "./schema.ts";
import type { ExternalKeyService } from "./service.ts";

/**
 * POST   /v1/external-keys
 * GET    /v1/external-keys
 * GET    /v1/external-keys/:id
 * PATCH  /v1/external-keys/:id
 * DELETE /v1/external-keys/:id
 * POST   /v1/external-keys/:id/probe
 */
export function externalKeyRoutes({ externalKeys, guards }: { readonly externalKeys: ExternalKeyService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/external-keys",
        summary: "Bring a key of a service outside: yours, a team's (`teamId`) or the system's (`scope`)",
        description: "It is kept sealed, used by the program in your name, and never shown again.",
        request: { body: jsonBody(createExternalKeyRequest) },
        responses: { 201: jsonAnswer("The key, without itself", externalKeyAnswer), ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => c.json({ externalKey: await externalKeys.create(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/external-keys",
        summary: "Keys of services outside, by service and name",
        request: { query: externalKeyQuery },
        responses: { 200: jsonAnswer("The keys, without themselves", externalKeyList), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await externalKeys.list(callOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/external-keys/{id}",
        summary: "One key of a service outside",
        request: { params: externalKeyId },
        responses: { 200: jsonAnswer("The key, without itself", externalKeyAnswer), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json({ externalKey: await externalKeys.get(callOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/external-keys/{id}",
        summary: "Replace or rename a key",
        request: { params: externalKeyId, body: jsonBody(updateExternalKeyRequest) },
        responses: { 200: jsonAnswer("The key, without itself", externalKeyAnswer), ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => c.json({ externalKey: await externalKeys.update(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/external-keys/{id}",
        summary: "Forget a key",
        request: { params: externalKeyId },
        responses: { 204: { description: "It is gone" }, ...problemAnswers(...refusals) },
      }),
      async (c) => {
        await externalKeys.delete(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/external-keys/{id}/probe",
        summary: "Ask the service whether it takes the key",
        description: "`unverified` when it does not answer, or can't be asked.",
        request: { params: externalKeyId },
        responses: { 200: jsonAnswer("The key, with what the service said", externalKeyAnswer), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json({ externalKey: await externalKeys.probe(callOf(c), c.req.valid("param").id) }, 200),
    );
}
