import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { signedInBody } from "../answer-signed-in.ts";
import { linkPage } from "../email/link-page.ts";
import { linkToken } from "../passwords/schema.ts";
import { signedInAnswer } from "../schema.ts";
import { loginRequest, setupRequest, signedUp, signupRequest, updateMeRequest, userAnswer } from "./schema.ts";
import type { AccountService } from "./service.ts";
import { setupPage } from "./setup-page.ts";

const signupPage = linkPage({
  title: "Sign up",
  fields: `<label>Name <input name="name" maxlength="200" autocomplete="name"></label>
  <label>E-mail address that the invitation was sent to <input name="email" type="email" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" minlength="8" maxlength="128" autocomplete="new-password" required></label>`,
  tokenName: "invitation",
  button: "Sign up",
  path: "/v1/auth/signup",
  done: "Done: the account is there, and you are logged in.",
});

/**
 * POST  /v1/auth/signup    open
 * GET   /v1/auth/signup    open: the page behind the link of an invitation
 * GET   /v1/auth/setup     open: the page behind the link
 * POST  /v1/auth/setup     open
 * POST  /v1/auth/login     open
 * GET   /v1/me
 * PATCH /v1/me
 */
export function accountRoutes({ accounts, guards }: { readonly accounts: AccountService; readonly guards: Guards }) {
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const protectedRoute = { tags, security: keySecurity, middleware: guards.signedIn };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/signup",
        summary: "Create an account and log in",
        description:
          "With KEELSON_EMAIL_VERIFICATION=required it opens no session: the answer has only `user`, and log-in works once the link in the mail was followed. Then it does not tell whether the address has an account either: the mail does. With KEELSON_SIGNUP=invite it takes an `invitation`, which verifies the address and gives the role.",
        request: { body: jsonBody(signupRequest) },
        responses: {
          201: jsonAnswer("The account, its session and tokens", signedUp),
          ...problemAnswers(...writeProblems, "weak_password", "signup_closed", "email_taken", "invalid_link"),
        },
      }),
      async (c) => {
        const signedUp = await accounts.signup(c.req.valid("json"), c.env.origin);
        return c.json("session" in signedUp ? signedInBody(c, signedUp) : signedUp, 201);
      },
    )
    .openapi(
      createRoute({
        tags,
        middleware: guards.open,
        method: "get",
        path: "/v1/auth/signup",
        summary: "The page behind the link of an invitation",
        request: { query: z.object({ token: linkToken.optional() }) },
        responses: { 200: { description: "A form that signs up", content: { "text/html": { schema: z.string() } } } },
      }),
      (c) => c.body(signupPage, 200, pageHeaders),
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
      (c) => c.body(setupPage, 200, pageHeaders),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/setup",
        summary: "Create the first administrator",
        request: { body: jsonBody(setupRequest) },
        responses: {
          201: jsonAnswer("The administrator, its session and tokens", signedInAnswer),
          ...problemAnswers(...writeProblems, "weak_password", "invalid_setup_token", "email_taken"),
        },
      }),
      async (c) => c.json(signedInBody(c, await accounts.setup(c.req.valid("json"), c.env.origin)), 201),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/login",
        summary: "Open a session",
        request: { body: jsonBody(loginRequest) },
        responses: {
          200: jsonAnswer("The session and tokens", signedInAnswer),
          ...problemAnswers(...writeProblems, "invalid_credentials", "mfa_required", "account_disabled", "email_not_verified"),
        },
      }),
      async (c) => c.json(signedInBody(c, await accounts.login(c.req.valid("json"), c.env.origin)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/me",
        summary: "The account",
        responses: { 200: jsonAnswer("The account", userAnswer), ...problemAnswers("unauthenticated") },
      }),
      async (c) => c.json({ user: await accounts.me(actorOf(c)) }, 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "patch",
        path: "/v1/me",
        summary: "Change the account",
        request: { body: jsonBody(updateMeRequest) },
        responses: { 200: jsonAnswer("The account", userAnswer), ...problemAnswers(...writeProblems, "unauthenticated") },
      }),
      async (c) => c.json({ user: await accounts.updateMe({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("json")) }, 200),
    );
}
