import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import { nameParams, whoseQuery } from "../schema.ts";
import { approvalAnswer, approvalPage, createApprovalRequest, requestParams, requestsQuery } from "./schema.ts";
import type { ApprovalService } from "./service.ts";

/**
 * GET  /v1/secrets/requests
 * GET  /v1/secrets/requests/:id
 * POST /v1/secrets/requests/:id/approve
 * POST /v1/secrets/requests/:id/deny
 * POST /v1/secrets/:name/requests
 * GET  /v1/secrets/:name/requests
 */
export function approvalRoutes({
  secretApprovals: approvals,
  guards,
}: {
  readonly secretApprovals: ApprovalService;
  readonly guards: Guards;
}) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/requests",
        summary: "Requests for what takes two people, newest first",
        request: { query: requestsQuery },
        responses: { 200: jsonAnswer("A page of requests", approvalPage), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await approvals.list({ actor: actorOf(c) }, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/requests/{id}",
        summary: "One request",
        request: { params: requestParams },
        responses: { 200: jsonAnswer("The request", approvalAnswer), ...problemAnswers("not_found") },
      }),
      async (c) => c.json({ request: await approvals.get(callOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/requests/{id}/approve",
        summary: "Let somebody else do it, once",
        description:
          "For another member who may write the team's secrets, or an administrator; never for the one who asks, and not with an API key.",
        request: { params: requestParams },
        responses: { 200: jsonAnswer("The request", approvalAnswer), ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => c.json({ request: await approvals.approve(callOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/requests/{id}/deny",
        summary: "Do not let it be done",
        request: { params: requestParams },
        responses: { 200: jsonAnswer("The request", approvalAnswer), ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => c.json({ request: await approvals.deny(callOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/requests",
        summary: "Ask to do something with a secret that takes two people",
        description: "It waits a day for somebody else. Once approved, the one who asked does it, once, within `windowSeconds`.",
        request: { params: nameParams, query: whoseQuery, body: jsonBody(createApprovalRequest) },
        responses: { 201: jsonAnswer("The request", approvalAnswer), ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => {
        const named = { ...c.req.valid("query"), name: c.req.valid("param").name };
        return c.json({ request: await approvals.request(callOf(c), named, c.req.valid("json")) }, 201);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}/requests",
        summary: "Requests about one secret, newest first",
        request: { params: nameParams, query: requestsQuery.omit({ all: true }) },
        responses: { 200: jsonAnswer("A page of requests", approvalPage), ...problemAnswers(...refusals) },
      }),
      async (c) => {
        const { name } = c.req.valid("param");
        return c.json(await approvals.list({ actor: actorOf(c) }, { ...c.req.valid("query"), all: false, name }), 200);
      },
    );
}
