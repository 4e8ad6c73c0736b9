import { createRoute, z } from "@hono/zod-openapi";
import type { WhoAsks } from "../../../http/authenticate.ts";
import { actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { firstProofDescription } from "../address-proof/description.ts";
import { linkPage } from "../email/link-page.ts";
import { accepted, changePasswordRequest, forgotPasswordRequest, linkToken, resetPasswordRequest } from "./schema.ts";
import type { PasswordService } from "./service.ts";

const resetPage = linkPage({
  title: "Choose a new password",
  fields: `<label>New password <input name="newPassword" type="password" minlength="8" maxlength="128" autocomplete="new-password" required></label>`,
  button: "Change",
  path: "/v1/auth/password/reset",
  done: "Done. All sessions have ended: log in with the new password.",
});

/**
 * POST /v1/auth/password/change
 * POST /v1/auth/password/forgot   open
 * GET  /v1/auth/password/reset    open: the page behind the link
 * POST /v1/auth/password/reset    open
 */
export function passwordRoutes(deps: { readonly passwords: PasswordService; readonly whoAsks: WhoAsks; readonly guards: Guards }) {
  const { passwords, whoAsks, guards } = deps;
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        tags,
        security: bearerSecurity,
        middleware: guards.signedInCredentials,
        method: "post",
        path: "/v1/auth/password/change",
        summary: "Change the password and end all other sessions",
        request: { body: jsonBody(changePasswordRequest) },
        responses: {
          204: { description: "The password is changed" },
          ...problemAnswers(
            ...writeProblems,
            "weak_password",
            "unauthenticated",
            "invalid_credentials",
            "forbidden",
            "reauthentication_required",
            "conflict",
          ),
        },
      }),
      async (c) => {
        await passwords.change(actorOf(c), c.req.valid("json"), c.env.origin);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/password/forgot",
        summary: "Ask for a link to choose a new password",
        description: "The answer is the same whether or not there is such an account. At most one mail a minute.",
        request: { body: jsonBody(forgotPasswordRequest) },
        responses: {
          202: jsonAnswer("If there is such an account, the mail is on its way", accepted),
          ...problemAnswers(...writeProblems),
        },
      }),
      (c) => {
        passwords.forgot(c.req.valid("json").email, c.env.origin);
        return c.json({}, 202);
      },
    )
    .openapi(
      createRoute({
        tags,
        middleware: guards.open,
        method: "get",
        path: "/v1/auth/password/reset",
        summary: "The page behind the link to choose a new password",
        request: { query: z.object({ token: linkToken.optional() }) },
        responses: { 200: { description: "A form that chooses a new password", content: { "text/html": { schema: z.string() } } } },
      }),
      (c) => c.body(resetPage, 200, pageHeaders),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/password/reset",
        summary: "Choose a new password and end all sessions",
        description: `It does not log in. The e-mail address counts as verified. ${firstProofDescription}`,
        request: { body: jsonBody(resetPasswordRequest) },
        responses: {
          204: { description: "The password is changed" },
          ...problemAnswers(...writeProblems, "weak_password", "invalid_link", "account_disabled"),
        },
      }),
      async (c) => {
        await passwords.reset(c.req.valid("json"), c.env.origin, await whoAsks(c));
        return c.body(null, 204);
      },
    );
}
