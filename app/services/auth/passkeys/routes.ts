import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { signedInBody } from "../answer-signed-in.ts";
import { signedInAnswer } from "../schema.ts";
import type { Passkeys } from "./open.ts";
import { authenticateRequest, authenticationOptions, passkeyAnswer, passkeyList, registerRequest, registrationOptions } from "./schema.ts";

/**
 * POST   /v1/auth/passkeys/register/options
 * POST   /v1/auth/passkeys/register/verify
 * POST   /v1/auth/passkeys/authenticate/options   open
 * POST   /v1/auth/passkeys/authenticate/verify    open
 * GET    /v1/auth/passkeys
 * DELETE /v1/auth/passkeys/:id
 */
export function passkeyRoutes({ passkeys, guards }: { readonly passkeys: Passkeys; readonly guards: Guards }) {
  const signedIn = { tags: ["auth"], security: bearerSecurity, middleware: guards.signedIn };
  const open = { tags: ["auth"], middleware: guards.credentials };
  const problems = ["unauthenticated", "forbidden", "rate_limited"] as const;
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;
  const noStore = { "cache-control": "no-store" };

  return createRoutes()
    .openapi(
      createRoute({
        ...signedIn,
        method: "post",
        path: "/v1/auth/passkeys/register/options",
        summary: "Begin to register a passkey",
        responses: {
          200: jsonAnswer("What to hand to the browser, once and within five minutes", registrationOptions),
          ...problemAnswers(...problems, "reauthentication_required", "conflict"),
        },
      }),
      async (c) => c.json(await passkeys.beginRegistration(callOf(c)), 200, noStore),
    )
    .openapi(
      createRoute({
        ...signedIn,
        method: "post",
        path: "/v1/auth/passkeys/register/verify",
        summary: "Register the passkey that the browser made",
        request: { body: jsonBody(registerRequest) },
        responses: { 201: jsonAnswer("The passkey", passkeyAnswer), ...problemAnswers(...problems, ...writeProblems, "conflict") },
      }),
      async (c) => c.json({ passkey: await passkeys.register(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...open,
        method: "post",
        path: "/v1/auth/passkeys/authenticate/options",
        summary: "Begin to log in with a passkey",
        responses: {
          200: jsonAnswer("What to hand to the browser, once and within five minutes", authenticationOptions),
          ...problemAnswers("rate_limited"),
        },
      }),
      async (c) => c.json(await passkeys.authenticate.begin(), 200, noStore),
    )
    .openapi(
      createRoute({
        ...open,
        method: "post",
        path: "/v1/auth/passkeys/authenticate/verify",
        summary: "Log in with a passkey; it is both factors at once",
        request: { body: jsonBody(authenticateRequest) },
        responses: {
          200: jsonAnswer("A session", signedInAnswer),
          ...problemAnswers(...writeProblems, "invalid_credentials", "account_disabled", "email_not_verified"),
        },
      }),
      async (c) => c.json(signedInBody(c, await passkeys.authenticate.logIn(c.req.valid("json"), c.env.origin)), 200),
    )
    .openapi(
      createRoute({
        ...signedIn,
        method: "get",
        path: "/v1/auth/passkeys",
        summary: "Your passkeys, the oldest first",
        responses: { 200: jsonAnswer("All of them", passkeyList), ...problemAnswers(...problems) },
      }),
      async (c) => c.json(await passkeys.list(actorOf(c)), 200),
    )
    .openapi(
      createRoute({
        ...signedIn,
        method: "delete",
        path: "/v1/auth/passkeys/{id}",
        summary: "Remove a passkey",
        request: { params: z.object({ id: z.string().max(64) }) },
        responses: {
          204: { description: "It opens the account no longer" },
          ...problemAnswers(...problems, "reauthentication_required", "not_found", "only_way_in"),
        },
      }),
      async (c) => {
        await passkeys.remove(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    );
}

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
