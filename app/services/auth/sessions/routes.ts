import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { clearSessionCookies, refreshCookie } from "../../../http/session-cookies.ts";
import { Problem } from "../../../platform/errors.ts";
import type { AccountService } from "../accounts/service.ts";
import { signedInBody } from "../answer-signed-in.ts";
import { signedInAnswer } from "../schema.ts";
import type { Refresh } from "./refresh/refresh.ts";
import { addUserRequest, refreshRequest, sessionAnswer, sessionList, switchUserRequest } from "./schema.ts";
import type { SessionService } from "./service.ts";

/**
 * POST   /v1/auth/refresh   open
 * POST   /v1/auth/logout
 * GET    /v1/auth/session
 * POST   /v1/auth/session/users
 * POST   /v1/auth/session/switch
 * DELETE /v1/auth/session/users/:userId
 * GET    /v1/auth/sessions
 * DELETE /v1/auth/sessions
 * DELETE /v1/auth/sessions/:id
 */
export function sessionRoutes(deps: {
  readonly sessions: SessionService;
  readonly refresh: Refresh;
  readonly addToSession: AccountService["addToSession"];
  readonly sameOrigin: (c: AppContext) => void;
  readonly guards: Guards;
}) {
  const { sessions, guards } = deps;
  /** The refresh token of the body, or of the cookie. */
  const presentedToken = (c: AppContext, given: string | undefined): string => {
    if (given !== undefined) return given;
    const token = refreshCookie(c);
    if (token === undefined) throw new Problem("validation_failed", { errors: [{ pointer: "/refreshToken", detail: "is missing" }] });
    deps.sameOrigin(c);
    c.env.byCookie = true;
    return token;
  };
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const protectedRoute = { tags, security: bearerSecurity, middleware: guards.signedIn };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/refresh",
        summary: "Exchange a refresh token for a new pair",
        request: { body: jsonBody(refreshRequest) },
        responses: {
          200: jsonAnswer("The new pair", signedInAnswer),
          ...problemAnswers(...writeProblems, "invalid_refresh_token", "account_disabled"),
        },
      }),
      async (c) => c.json(signedInBody(c, await deps.refresh(presentedToken(c, c.req.valid("json").refreshToken), c.env.origin)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/logout",
        summary: "End this session",
        responses: { 204: { description: "The session has ended" }, ...problemAnswers("unauthenticated", "forbidden") },
      }),
      async (c) => {
        await sessions.logout({ actor: actorOf(c), origin: c.env.origin });
        clearSessionCookies(c);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/auth/session",
        summary: "This session and who is in it",
        responses: { 200: jsonAnswer("The session", sessionAnswer), ...problemAnswers("unauthenticated", "forbidden") },
      }),
      async (c) => c.json(await sessions.current(actorOf(c)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        middleware: guards.signedInCredentials,
        method: "post",
        path: "/v1/auth/session/users",
        summary: "Add a user to this session and make them the active one",
        request: { body: jsonBody(addUserRequest) },
        responses: {
          200: jsonAnswer("The session with the new tokens", signedInAnswer),
          ...problemAnswers(
            ...writeProblems,
            "unauthenticated",
            "invalid_credentials",
            "mfa_required",
            "account_disabled",
            "email_not_verified",
            "conflict",
          ),
        },
      }),
      async (c) => c.json(signedInBody(c, await deps.addToSession(actorOf(c), c.req.valid("json"), c.env.origin)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/session/switch",
        summary: "Make another user of this session the active one",
        request: { body: jsonBody(switchUserRequest) },
        responses: {
          200: jsonAnswer("The session with the new tokens", signedInAnswer),
          ...problemAnswers(...writeProblems, "unauthenticated", "not_found", "account_disabled", "conflict"),
        },
      }),
      async (c) =>
        c.json(signedInBody(c, await sessions.switchTo({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("json").userId)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "delete",
        path: "/v1/auth/session/users/{userId}",
        summary: "Take a user out of this session",
        request: { params: z.object({ userId: z.string().max(64) }) },
        responses: {
          204: { description: "The user is out; refresh to go on as another" },
          ...problemAnswers("unauthenticated", "not_found"),
        },
      }),
      async (c) => {
        await sessions.removeUser({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").userId);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/auth/sessions",
        summary: "Where this account is logged in",
        responses: { 200: jsonAnswer("The live sessions, the last used first", sessionList), ...problemAnswers("unauthenticated") },
      }),
      async (c) => c.json(await sessions.list(actorOf(c)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "delete",
        path: "/v1/auth/sessions",
        summary: "Log out everywhere else",
        responses: { 204: { description: "All sessions but this one have ended" }, ...problemAnswers("unauthenticated") },
      }),
      async (c) => {
        await sessions.endOthers({ actor: actorOf(c), origin: c.env.origin });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "delete",
        path: "/v1/auth/sessions/{id}",
        summary: "Log out from afar",
        request: { params: z.object({ id: z.string().max(64) }) },
        responses: { 204: { description: "The session has ended" }, ...problemAnswers("unauthenticated", "not_found") },
      }),
      async (c) => {
        await sessions.endOne({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id);
        return c.body(null, 204);
      },
    );
}
