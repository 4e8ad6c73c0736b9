import { createRoute, z } from "@hono/zod-openapi";
import type { WhoAsks } from "../../../http/authenticate.ts";
import { actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { userAnswer } from "../accounts/schema.ts";
import { firstProofDescription } from "../address-proof/description.ts";
import { signedInBody } from "../answer-signed-in.ts";
import { accepted, linkToken } from "../passwords/schema.ts";
import { signedInAnswer } from "../schema.ts";
import { linkPage } from "./link-page.ts";
import { magicLinkRequest, verifyEmailRequest, verifyMagicLinkRequest } from "./schema.ts";
import type { EmailService } from "./service.ts";

const verifyPage = linkPage({
  title: "Confirm your e-mail address",
  fields: "",
  button: "Confirm",
  path: "/v1/auth/email/verify",
  done: "Done: the address is confirmed. You can close this page.",
  other: {
    button: "This was not me",
    name: "disown",
    done: "Done: the account is closed, and what belongs to it is erased. You can close this page.",
  },
});

const magicLinkPage = linkPage({
  title: "Log in",
  fields: `<label>Code of your authenticator app, if you have one <input name="totp" maxlength="32" autocomplete="one-time-code"></label>`,
  button: "Log in",
  path: "/v1/auth/magic-link/verify",
  done: "You are logged in.",
});

/**
 * GET  /v1/auth/email/verify        open: the page behind the link
 * POST /v1/auth/email/verify        open
 * POST /v1/auth/email/resend
 * POST /v1/auth/magic-link          open
 * GET  /v1/auth/magic-link/verify   open: the page behind the link
 * POST /v1/auth/magic-link/verify   open
 */
export function emailRoutes(deps: { readonly email: EmailService; readonly whoAsks: WhoAsks; readonly guards: Guards }) {
  const { email, whoAsks, guards } = deps;
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const page = { tags, middleware: guards.open, request: { query: z.object({ token: linkToken.optional() }) } };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...page,
        method: "get",
        path: "/v1/auth/email/verify",
        summary: "The page behind the link to confirm an address",
        responses: { 200: { description: "A form that confirms the address", content: { "text/html": { schema: z.string() } } } },
      }),
      (c) => c.body(verifyPage, 200, pageHeaders),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/email/verify",
        summary: "Confirm an e-mail address, or say that the sign-up was not yours",
        request: { body: jsonBody(verifyEmailRequest) },
        responses: {
          200: jsonAnswer("The account", userAnswer),
          204: { description: "With `disown`: the account is closed, and a task erases what belongs to it" },
          ...problemAnswers(...writeProblems, "invalid_link", "account_disabled", "conflict"),
        },
      }),
      async (c) => {
        const { token, disown } = c.req.valid("json");
        if (!disown) return c.json({ user: await email.verify(token, c.env.origin) }, 200);
        await email.disown(token, c.env.origin);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        tags,
        security: bearerSecurity,
        middleware: guards.signedIn,
        method: "post",
        path: "/v1/auth/email/resend",
        summary: "Send the mail that confirms the address again",
        responses: {
          202: jsonAnswer("The mail is on its way, unless the address is verified already", accepted),
          ...problemAnswers("unauthenticated", "rate_limited"),
        },
      }),
      async (c) => {
        await email.resend(actorOf(c), c.env.origin);
        return c.json({}, 202);
      },
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/magic-link",
        summary: "Ask for a link to log in without a password",
        description: "The answer is the same whether or not there is such an account; none is created. At most one mail a minute.",
        request: { body: jsonBody(magicLinkRequest) },
        responses: {
          202: jsonAnswer("If there is such an account, the mail is on its way", accepted),
          ...problemAnswers(...writeProblems),
        },
      }),
      (c) => {
        email.sendMagicLink(c.req.valid("json").email, c.env.origin);
        return c.json({}, 202);
      },
    )
    .openapi(
      createRoute({
        ...page,
        method: "get",
        path: "/v1/auth/magic-link/verify",
        summary: "The page behind the link to log in",
        responses: { 200: { description: "A form that logs in", content: { "text/html": { schema: z.string() } } } },
      }),
      (c) => c.body(magicLinkPage, 200, pageHeaders),
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/magic-link/verify",
        summary: "Log in with the token of a link",
        description: `A second factor is asked for like with a password; a wrong or missing one does not use the link up. ${firstProofDescription}`,
        request: { body: jsonBody(verifyMagicLinkRequest) },
        responses: {
          200: jsonAnswer("The session and tokens", signedInAnswer),
          ...problemAnswers(...writeProblems, "invalid_link", "invalid_credentials", "mfa_required", "account_disabled"),
        },
      }),
      async (c) => c.json(signedInBody(c, await email.useMagicLink(c.req.valid("json"), c.env.origin, await whoAsks(c))), 200),
    );
}
