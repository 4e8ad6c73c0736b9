import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, problemAnswers } from "../../../http/route.ts";
import { signedInBody } from "../answer-signed-in.ts";
import { signedInAnswer } from "../schema.ts";
import type { FlowCookie } from "./flows.ts";
import {
  beginQuery,
  callbackAnswer,
  callbackQuery,
  exchangeRequest,
  identityList,
  linkAnswer,
  linkRequest,
  providerParams,
} from "./schema.ts";
import type { OauthService } from "./service.ts";

/**
 * GET    /v1/auth/oauth/:provider             open
 * GET    /v1/auth/oauth/:provider/callback    open
 * POST   /v1/auth/oauth/exchange              open
 * POST   /v1/auth/oauth/:provider/link
 * GET    /v1/auth/identities
 * DELETE /v1/auth/identities/:provider
 */
export function oauthRoutes({ oauth, guards }: { readonly oauth: OauthService; readonly guards: Guards }) {
  const tags = ["auth"];
  const credentials = { tags, middleware: guards.credentials };
  const protectedRoute = { tags, security: bearerSecurity, middleware: guards.signedIn };
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;
  const accountProblems = ["email_not_vouched", "email_taken", "signup_closed", "account_disabled", "mfa_required"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...credentials,
        method: "get",
        path: "/v1/auth/oauth/{provider}",
        summary: "Log in through an outside provider",
        request: { params: providerParams, query: beginQuery },
        responses: {
          302: { description: "To the provider; the cookie ties the log-in to this browser" },
          ...problemAnswers("validation_failed", "not_found", "rate_limited", "provider_unavailable"),
        },
      }),
      async (c) => {
        const { url, cookie } = await oauth.begin(c.req.valid("param").provider, c.req.valid("query"));
        keepInBrowser(c, cookie);
        return c.redirect(url, 302);
      },
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "get",
        path: "/v1/auth/oauth/{provider}/callback",
        summary: "Where the provider sends the browser back to",
        request: { params: providerParams, query: callbackQuery },
        responses: {
          200: jsonAnswer("Without `returnTo`: the session and tokens, or the identity that was linked", callbackAnswer),
          302: { description: "To `returnTo`, with `#code=`, `#linked=` or `#error=` and a problem code" },
          ...problemAnswers(
            "validation_failed",
            "invalid_oauth_flow",
            "oauth_failed",
            ...accountProblems,
            "identity_taken",
            "not_found",
            "rate_limited",
            "provider_unavailable",
          ),
        },
      }),
      async (c) => {
        const { provider } = c.req.valid("param");
        const { state } = c.req.valid("query");
        const answer = new URL(c.req.url).searchParams;
        const outcome = await oauth.callback({ provider, state, answer, cookie: (name) => getCookie(c, name) }, c.env.origin);
        sayNothingOnward(c);
        switch (outcome.kind) {
          case "signed_in":
            return c.json(signedInBody(c, outcome.signedIn), 200);
          case "linked":
            return c.json(outcome.identity, 200);
          case "redirect":
            return c.redirect(outcome.location, 302);
        }
      },
    )
    .openapi(
      createRoute({
        ...credentials,
        method: "post",
        path: "/v1/auth/oauth/exchange",
        summary: "Exchange the code of a finished log-in for a session",
        request: { body: jsonBody(exchangeRequest) },
        responses: {
          200: jsonAnswer("The session and tokens", signedInAnswer),
          ...problemAnswers(...writeProblems, "invalid_oauth_code", "invalid_credentials", ...accountProblems),
        },
      }),
      async (c) => c.json(signedInBody(c, await oauth.exchange(c.req.valid("json"), c.env.origin)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "post",
        path: "/v1/auth/oauth/{provider}/link",
        summary: "Link an account at a provider to this one",
        request: { params: providerParams, body: jsonBody(linkRequest) },
        responses: {
          200: jsonAnswer("Where the browser goes next; the cookie ties the link to this browser", linkAnswer),
          ...problemAnswers(
            ...writeProblems,
            "unauthenticated",
            "forbidden",
            "reauthentication_required",
            "not_found",
            "provider_unavailable",
          ),
        },
      }),
      async (c) => {
        const { url, cookie } = await oauth.beginLink(actorOf(c), c.req.valid("param").provider, c.req.valid("json").returnTo);
        keepInBrowser(c, cookie);
        return c.json({ url }, 200);
      },
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "get",
        path: "/v1/auth/identities",
        summary: "Accounts at providers that open this one",
        responses: { 200: jsonAnswer("The identities, the oldest first", identityList), ...problemAnswers("unauthenticated") },
      }),
      async (c) => c.json(await oauth.identities(actorOf(c)), 200),
    )
    .openapi(
      createRoute({
        ...protectedRoute,
        method: "delete",
        path: "/v1/auth/identities/{provider}",
        summary: "Unlink what is linked of a provider",
        request: { params: providerParams },
        responses: {
          204: { description: "It opens this account no more" },
          ...problemAnswers("unauthenticated", "forbidden", "reauthentication_required", "not_found", "only_way_in"),
        },
      }),
      async (c) => {
        await oauth.unlink({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").provider);
        return c.body(null, 204);
      },
    );
}

/** Lax, because the browser comes back by a link from another site. */
function keepInBrowser(c: AppContext, { name, value, secure, maxAgeSeconds: maxAge }: FlowCookie): void {
  setCookie(c, name, value, { httpOnly: true, secure, sameSite: "Lax", path: "/", maxAge });
  sayNothingOnward(c);
}

/** The addresses hold state and codes. */
function sayNothingOnward(c: Pick<Context, "header">): void {
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
}
