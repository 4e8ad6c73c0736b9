import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import type { ImportApiKey } from "./import.ts";
import {
  apiKeyAnswer,
  apiKeyPage,
  apiKeyWithSecret,
  createKeyRequest,
  importKeyRequest,
  keyId,
  keyQuery,
  rotateKeyRequest,
  updateKeyRequest,
} from "./schema.ts";
import type { ApiKeyService } from "./service.ts";

/**
 * POST   /v1/api-keys
 * GET    /v1/api-keys
 * POST   /v1/api-keys/import   administrators
 * GET    /v1/api-keys/:id
 * PATCH  /v1/api-keys/:id
 * DELETE /v1/api-keys/:id
 * POST   /v1/api-keys/:id/rotate
 */
export function apiKeyRoutes(deps: { readonly apiKeys: ApiKeyService; readonly importApiKey: ImportApiKey; readonly guards: Guards }) {
  const { apiKeys, importApiKey, guards } = deps;
  const params = z.object({ id: keyId });
  const reads = { tags: ["auth"], security: keySecurity, middleware: guards.signedIn };
  const writes = { tags: ["auth"], security: bearerSecurity, middleware: guards.signedIn };
  const refusals = ["unauthenticated", "insufficient_scope"] as const;
  const writeProblems = [...refusals, "validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...writes,
        method: "post",
        path: "/v1/api-keys",
        summary: "Make an API key of your own, or of a team that you run",
        request: { body: jsonBody(createKeyRequest) },
        responses: {
          201: jsonAnswer("The key, shown this once", apiKeyWithSecret),
          ...problemAnswers(...writeProblems, "forbidden", "not_found", "conflict"),
        },
      }),
      async (c) => c.json(await apiKeys.create(callOf(c), c.req.valid("json")), 201),
    )
    .openapi(
      createRoute({
        ...reads,
        method: "get",
        path: "/v1/api-keys",
        summary: "API keys, in the order they were made",
        request: { query: keyQuery },
        responses: {
          200: jsonAnswer("A page of keys", apiKeyPage),
          ...problemAnswers(...refusals, "validation_failed", "forbidden", "not_found"),
        },
      }),
      async (c) => c.json(await apiKeys.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...writes,
        middleware: guards.admin,
        method: "post",
        path: "/v1/api-keys/import",
        summary: "Import a key of another system, of which only the bcrypt hash of the secret is known",
        description: importDescription,
        request: { body: jsonBody(importKeyRequest) },
        responses: {
          201: jsonAnswer("The key, whose secret only its holder has", apiKeyAnswer),
          ...problemAnswers(...writeProblems, "forbidden", "conflict"),
        },
      }),
      async (c) => c.json({ apiKey: await importApiKey(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...reads,
        method: "get",
        path: "/v1/api-keys/{id}",
        summary: "One API key",
        request: { params },
        responses: { 200: jsonAnswer("The key, without its secret", apiKeyAnswer), ...problemAnswers(...refusals, "not_found") },
      }),
      async (c) => c.json({ apiKey: await apiKeys.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...writes,
        method: "patch",
        path: "/v1/api-keys/{id}",
        summary: "Change what an API key is good for",
        request: { params, body: jsonBody(updateKeyRequest) },
        responses: { 200: jsonAnswer("The key", apiKeyAnswer), ...problemAnswers(...writeProblems, "forbidden", "not_found") },
      }),
      async (c) => c.json({ apiKey: await apiKeys.update(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...writes,
        method: "delete",
        path: "/v1/api-keys/{id}",
        summary: "Revoke an API key",
        responses: { 204: { description: "The key is refused from now on" }, ...problemAnswers(...refusals, "not_found") },
        request: { params },
      }),
      async (c) => {
        await apiKeys.revoke(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...writes,
        method: "post",
        path: "/v1/api-keys/{id}/rotate",
        summary: "Replace the secret of an API key",
        request: { params, body: jsonBody(rotateKeyRequest) },
        responses: { 200: jsonAnswer("The new key, shown this once", apiKeyWithSecret), ...problemAnswers(...writeProblems, "not_found") },
      }),
      async (c) => c.json(await apiKeys.rotate(callOf(c), c.req.valid("param").id, c.req.valid("json")), 200),
    );
}

const importDescription = [
  "An administrator acts for `userId`, who owns the key from then on: elsewhere the owner is always the caller.",
  "The holder shows `start` of the answer, then the secret of the other system (20 to 72 letters and digits), then a checksum: the CRC-32 (ISO 3309) of all before it,",
  "as six digits of base 62 (0-9A-Za-z), filled up with 0 on the left. The first use replaces the bcrypt hash by a fast one.",
].join(" ");

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
