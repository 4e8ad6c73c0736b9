import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { managedUserAnswer, updateUserRequest, userId, userPage, userQuery } from "./schema.ts";
import type { UserService } from "./service.ts";

/**
 * GET    /v1/users       administrators
 * GET    /v1/users/:id   administrators
 * PATCH  /v1/users/:id   administrators: role, disabled, tier
 * DELETE /v1/users/:id/sessions   administrators: logs the user out everywhere
 * DELETE /v1/me          the caller's own account
 */
export function userRoutes({ users, guards }: { readonly users: UserService; readonly guards: Guards }) {
  const tags = ["auth"];
  const adminReads = { tags, security: keySecurity, middleware: guards.admin };
  const adminWrites = { tags, security: bearerSecurity, middleware: guards.admin };
  const params = z.object({ id: userId });

  return createRoutes()
    .openapi(
      createRoute({
        ...adminReads,
        method: "get",
        path: "/v1/users",
        summary: "All accounts, in the order they signed up",
        request: { query: userQuery },
        responses: { 200: jsonAnswer("A page", userPage), ...problemAnswers("unauthenticated", "forbidden", "validation_failed") },
      }),
      async (c) => c.json(await users.list(c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...adminReads,
        method: "get",
        path: "/v1/users/{id}",
        summary: "One account",
        request: { params },
        responses: { 200: jsonAnswer("The account", managedUserAnswer), ...problemAnswers("unauthenticated", "forbidden", "not_found") },
      }),
      async (c) => c.json({ user: await users.get(c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...adminWrites,
        method: "patch",
        path: "/v1/users/{id}",
        summary: "Change a role or tier, or disable an account and end its sessions",
        request: { params, body: jsonBody(updateUserRequest) },
        responses: {
          200: jsonAnswer("The account", managedUserAnswer),
          ...problemAnswers("validation_failed", "unauthenticated", "forbidden", "not_found", "conflict"),
        },
      }),
      async (c) => {
        const call = { actor: actorOf(c), origin: c.env.origin };
        return c.json({ user: await users.update(call, c.req.valid("param").id, c.req.valid("json")) }, 200);
      },
    )
    .openapi(
      createRoute({
        ...adminWrites,
        method: "delete",
        path: "/v1/users/{id}/sessions",
        summary: "Log a user out everywhere",
        request: { params },
        responses: {
          204: { description: "All sessions of the user have ended" },
          ...problemAnswers("unauthenticated", "forbidden", "not_found"),
        },
      }),
      async (c) => {
        await users.endSessions({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        tags,
        security: bearerSecurity,
        middleware: guards.signedIn,
        method: "delete",
        path: "/v1/me",
        summary: "Close the account and have its data erased",
        responses: {
          202: jsonAnswer("It is closed; the task erases what belongs to it", z.object({ taskId: z.string() })),
          ...problemAnswers("unauthenticated", "forbidden", "reauthentication_required", "conflict"),
        },
      }),
      async (c) => c.json(await users.deleteMe({ actor: actorOf(c), origin: c.env.origin }), 202),
    );
}
