import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../http/route.ts";
import { loginRequest, refreshRequest, sessionAnswer, setupRequest, signedIn, signupRequest, userAnswer } from "./schema.ts";
import type { AuthService } from "./service.ts";
import { setupPage } from "./setup-page.ts";

/**
 * POST /v1/auth/signup    open
 * GET  /v1/auth/setup     open: the page behind the link
 * POST /v1/auth/setup     open
 * POST /v1/auth/login     open
 * POST /v1/auth/refresh   open
 * POST /v1/auth/logout
 * GET  /v1/auth/session
 * GET  /v1/me
 * GET  /.well-known/jwks.json  open
 */
export function authRoutes(deps: {
  readonly auth: AuthService;
  readonly guards: Guards;
  readonly publicKeys: () => Promise<readonly object[]>;
}) {
  const { auth, guards } = deps;
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const protectedRoute = { tags, security: bearerSecurity, middleware: guards.signedIn };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/signup",
        summary: "Create an account and log in",
        request: { body: jsonBody(signupRequest) },
        responses: {
          201: jsonAnswer("The account, its session and tokens", signedIn),
          ...problemAnswers(...writeProblems, "signup_closed", "email_taken"),
        },
      }),
      async (c) => c.json(await auth.signup(c.req.valid("json"), c.env.origin), 201),
    )
    .openapi(
      createRoute({
        tags,
        middleware: guards.open,
        method: "get",
        path: "/v1/auth/setup",
        summary: "The page behind the set-up link",
        request: { query: z.object({ token: z.string().max(128).optional() }) },
        responses: {
          200: { description: "A form that creates the first administrator", content: { "text/html": { schema: z.string() } } },
        },
      }),
      (c) =>
        c.body(setupPage, 200, {
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-store",
          "referrer-policy": "no-referrer",
        }),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/setup",
        summary: "Create the first administrator",
        request: { body: jsonBody(setupRequest) },
        responses: {
          201: jsonAnswer("The administrator, its session and tokens", signedIn),
          ...problemAnswers(...writeProblems, "invalid_setup_token", "email_taken"),
        },
      }),
      async (c) => c.json(await auth.setup(c.req.valid("json"), c.env.origin), 201),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/login",
        summary: "Open a session",
        request: { body: jsonBody(loginRequest) },
        responses: { 200: jsonAnswer("The session and tokens", signedIn), ...problemAnswers(...writeProblems, "invalid_credentials") },
      }),
      async (c) => c.json(await auth.login(c.req.valid("json"), c.env.origin), 200),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/refresh",
        summary: "Exchange a refresh token for a new pair",
        request: { body: jsonBody(refreshRequest) },
        responses: { 200: jsonAnswer("The new pair", signedIn), ...problemAnswers(...writeProblems, "invalid_refresh_token") },
      }),
      async (c) => c.json(await auth.refresh(c.req.valid("json").refreshToken), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/logout",
        summary: "End this session",
        responses: { 204: { description: "The session has ended" }, ...problemAnswers("unauthenticated") },
      }),
      async (c) => {
        await auth.logout(actorOf(c));
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/auth/session",
        summary: "This session and who is in it",
        responses: { 200: jsonAnswer("The session", sessionAnswer), ...problemAnswers("unauthenticated") },
      }),
      async (c) => c.json(await auth.session(actorOf(c)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/me",
        summary: "The account",
        responses: { 200: jsonAnswer("The account", userAnswer), ...problemAnswers("unauthenticated") },
      }),
      async (c) => c.json({ user: await auth.me(actorOf(c)) }, 200),
    )
    .openapi(
      createRoute({
        tags,
        middleware: guards.open,
        method: "get",
        path: "/.well-known/jwks.json",
        summary: "The keys that sign access tokens (RFC 7517)",
        responses: { 200: jsonAnswer("The key set", z.object({ keys: z.array(z.record(z.string(), z.unknown())) })) },
      }),
      async (c) => c.json({ keys: (await deps.publicKeys()).map((key) => ({ ...key })) }, 200, { "cache-control": "public, max-age=300" }),
    );
}
