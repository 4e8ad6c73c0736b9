import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { recoveryCodesAnswer, totpCodeRequest, totpSetup } from "./schema.ts";
import type { MfaService } from "./service.ts";

/**
 * POST   /v1/auth/mfa/totp
 * POST   /v1/auth/mfa/totp/verify
 * DELETE /v1/auth/mfa/totp
 * POST   /v1/auth/mfa/recovery-codes
 */
export function mfaRoutes({ mfa, guards }: { readonly mfa: MfaService; readonly guards: Guards }) {
  const protectedRoute = { tags: ["auth"], security: bearerSecurity, middleware: guards.signedIn };
  const problems = ["unauthenticated", "forbidden", "reauthentication_required", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/mfa/totp",
        summary: "Begin to set up an authenticator app",
        responses: {
          200: jsonAnswer("What to tell the app; confirm with its first code", totpSetup),
          ...problemAnswers(...problems, "conflict"),
        },
      }),
      async (c) => c.json(await mfa.begin({ actor: actorOf(c), origin: c.env.origin }), 200, { "cache-control": "no-store" }),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        middleware: guards.signedInCredentials,
        method: "post",
        path: "/v1/auth/mfa/totp/verify",
        summary: "Confirm the authenticator app; log-ins need it from now on",
        request: { body: jsonBody(totpCodeRequest) },
        responses: {
          200: jsonAnswer("The recovery codes", recoveryCodesAnswer),
          ...problemAnswers(...problems, "validation_failed", "not_found", "conflict"),
        },
      }),
      async (c) =>
        c.json(await mfa.confirm({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("json")), 200, { "cache-control": "no-store" }),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "delete",
        path: "/v1/auth/mfa/totp",
        summary: "Remove the authenticator app and the recovery codes",
        responses: { 204: { description: "Log-ins need no second factor" }, ...problemAnswers(...problems, "not_found") },
      }),
      async (c) => {
        await mfa.remove({ actor: actorOf(c), origin: c.env.origin });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/mfa/recovery-codes",
        summary: "Make new recovery codes",
        responses: { 200: jsonAnswer("The recovery codes", recoveryCodesAnswer), ...problemAnswers(...problems, "not_found") },
      }),
      async (c) => c.json(await mfa.renewRecoveryCodes({ actor: actorOf(c), origin: c.env.origin }), 200, { "cache-control": "no-store" }),
    );
}
