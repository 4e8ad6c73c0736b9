import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import { nameParams, whoseQuery } from "../schema.ts";
import { policyAnswer, policyRequest, policySetAnswer, reportRequest, rotateRequest, rotationAnswer, rotationList } from "./schema.ts";
import type { RotationService } from "./service.ts";

/**
 * PUT    /v1/secrets/:name/policy
 * GET    /v1/secrets/:name/policy
 * DELETE /v1/secrets/:name/policy
 * POST   /v1/secrets/:name/rotate
 * GET    /v1/secrets/:name/rotations
 * POST   /v1/secrets/:name/report
 */
export function rotationRoutes({ rotation, guards }: { readonly rotation: RotationService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const request = { params: nameParams, query: whoseQuery };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;
  const writing = [...refusals, "approval_required", "conflict"] as const;
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "put",
        path: "/v1/secrets/{name}/policy",
        summary: "Have a secret rotated",
        request: { ...request, body: jsonBody(policyRequest) },
        responses: { 200: jsonAnswer("The policy", policySetAnswer), ...problemAnswers(...writing) },
      }),
      async (c) =>
        c.json(await rotation.setPolicy(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }, c.req.valid("json")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}/policy",
        summary: "How and when a secret is rotated next",
        request,
        responses: { 200: jsonAnswer("The policy", policyAnswer), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json({ policy: await rotation.policy(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/secrets/{name}/policy",
        summary: "Rotate a secret no more",
        request,
        responses: { 204: { description: "It has no policy" }, ...problemAnswers(...writing) },
      }),
      async (c) => {
        await rotation.removePolicy(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/rotate",
        summary: "Rotate a secret now: to the value that is given, or to one that the policy's generator makes",
        request: { ...request, body: { ...jsonBody(rotateRequest), required: false } },
        responses: {
          202: jsonAnswer("The rotation; without a value of yours a task does it", rotationAnswer),
          ...problemAnswers(...writing, "invalid_reference", "payload_too_large"),
        },
      }),
      async (c) =>
        c.json(await rotation.rotate(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }, c.req.valid("json") ?? {}), 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}/rotations",
        summary: "The rotations of a secret, newest first",
        request,
        responses: { 200: jsonAnswer("The last hundred", rotationList), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await rotation.rotations(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/report",
        summary: "Say whether a version works for you, while a gradual rotation overlaps",
        request: { ...request, body: jsonBody(reportRequest) },
        responses: {
          200: jsonAnswer("Whether that brought the old value back", z.object({ rolledBack: z.boolean() })),
          ...problemAnswers(...refusals),
        },
      }),
      async (c) => c.json(await rotation.report(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }, c.req.valid("json")), 200),
    );
}
