import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../http/route.ts";
import { callOf } from "./call.ts";
import { importAnswer, importBody } from "./imports/schema.ts";
import type { SecretImports } from "./imports/service.ts";
import type { SecretReading } from "./reading/service.ts";
import {
  createSecretRequest,
  deleteQuery,
  listQuery,
  nameParams,
  putSecretRequest,
  readQuery,
  revealedSecret,
  rollbackRequest,
  secretAnswer,
  secretPage,
  updateSecretRequest,
  versionPage,
  versionsRequest,
  whoseQuery,
} from "./schema.ts";
import type { SecretService } from "./service.ts";
import type { SecretVersionService } from "./versions/service.ts";

export interface SecretRoutesDeps {
  readonly secrets: SecretService;
  readonly secretVersions: SecretVersionService;
  readonly secretReading: Pick<SecretReading, "read">;
  readonly secretImports: SecretImports;
  readonly guards: Guards;
}

/**
 * POST   /v1/secrets
 * GET    /v1/secrets
 * POST   /v1/secrets/import
 * GET    /v1/secrets/:name
 * PUT    /v1/secrets/:name
 * PATCH  /v1/secrets/:name
 * DELETE /v1/secrets/:name
 * GET    /v1/secrets/:name/versions
 * POST   /v1/secrets/:name/undelete
 * POST   /v1/secrets/:name/destroy
 * POST   /v1/secrets/:name/rollback
 */
export function secretRoutes({ secrets, secretVersions, secretReading, secretImports, guards }: SecretRoutesDeps) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;
  const writing = [...refusals, "approval_required", "conflict", "version_conflict"] as const;
  const valued = [...writing, "invalid_reference", "payload_too_large"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets",
        summary: "Keep a secret: yours, a team's (`teamId`) or the system's (`scope`)",
        request: { body: jsonBody(createSecretRequest) },
        responses: { 201: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...valued) },
      }),
      async (c) => c.json({ secret: await secrets.create(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets",
        summary: "Secrets by name, without their values",
        request: { query: listQuery },
        responses: { 200: jsonAnswer("A page of secrets", secretPage), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await secrets.list({ actor: actorOf(c) }, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/import",
        summary: "Keep values that an older system had encrypted: one, or up to a hundred, all or none",
        request: { body: jsonBody(importBody) },
        responses: { 201: jsonAnswer("The secrets, without their values", importAnswer), ...problemAnswers(...valued, "undecryptable") },
      }),
      async (c) => c.json({ data: await secretImports.importAll(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}",
        summary: "A secret with its value; who has read it is written down first",
        request: { params: nameParams, query: readQuery },
        responses: {
          200: jsonAnswer("The secret and its value", revealedSecret),
          ...problemAnswers(...refusals, "approval_required", "invalid_reference", "secret_expired", "secret_unreadable", "unavailable"),
        },
      }),
      async (c) => {
        const answer = await secretReading.read(callOf(c), { ...c.req.valid("query"), name: c.req.valid("param").name });
        c.header("cache-control", "no-store");
        return c.json(answer, 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "put",
        path: "/v1/secrets/{name}",
        summary: "Give a secret another value: its next version",
        request: { params: nameParams, query: whoseQuery, body: jsonBody(putSecretRequest) },
        responses: { 200: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...valued) },
      }),
      async (c) =>
        c.json({ secret: await secrets.put(callOf(c), { ...c.req.valid("query"), ...c.req.valid("param") }, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/secrets/{name}",
        summary: "Change labels, expiry, how many versions are kept, or whether it takes two people",
        request: { params: nameParams, query: whoseQuery, body: jsonBody(updateSecretRequest) },
        responses: { 200: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...writing) },
      }),
      async (c) =>
        c.json({ secret: await secrets.update(callOf(c), { ...c.req.valid("query"), ...c.req.valid("param") }, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/secrets/{name}",
        summary: "Give out the newest version, or `versions`, no more; undelete brings them back",
        request: { params: nameParams, query: deleteQuery },
        responses: { 204: { description: "It is given out no more" }, ...problemAnswers(...writing) },
      }),
      async (c) => {
        await secretVersions.delete(callOf(c), { ...c.req.valid("query"), ...c.req.valid("param") });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}/versions",
        summary: "The versions of a secret, newest first, without their values",
        request: { params: nameParams, query: whoseQuery },
        responses: { 200: jsonAnswer("The versions", versionPage), ...problemAnswers(...refusals) },
      }),
      async (c) => {
        const named = { ...c.req.valid("query"), ...c.req.valid("param") };
        return c.json({ data: await secrets.versions({ actor: actorOf(c) }, named) }, 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/undelete",
        summary: "Bring deleted versions back: the newest, or `versions`",
        request: { params: nameParams, query: whoseQuery, body: { ...jsonBody(versionsRequest), required: false } },
        responses: { 200: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...writing) },
      }),
      async (c) => {
        const named = { ...c.req.valid("query"), ...c.req.valid("param"), versions: c.req.valid("json")?.versions };
        return c.json({ secret: await secretVersions.undelete(callOf(c), named) }, 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/destroy",
        summary: "Destroy values for good: all, or `versions`",
        request: { params: nameParams, query: whoseQuery, body: { ...jsonBody(versionsRequest), required: false } },
        responses: { 200: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...writing) },
      }),
      async (c) => {
        const named = { ...c.req.valid("query"), ...c.req.valid("param"), versions: c.req.valid("json")?.versions };
        return c.json({ secret: await secretVersions.destroy(callOf(c), named) }, 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/rollback",
        summary: "A new version with the value of an older one",
        request: { params: nameParams, query: whoseQuery, body: jsonBody(rollbackRequest) },
        responses: { 200: jsonAnswer("The secret, without its value", secretAnswer), ...problemAnswers(...valued, "secret_unreadable") },
      }),
      async (c) =>
        c.json(
          { secret: await secretVersions.rollback(callOf(c), { ...c.req.valid("query"), ...c.req.valid("param") }, c.req.valid("json")) },
          200,
        ),
    );
}
