import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import { nameParams, whoseQuery } from "../schema.ts";
import { sharePage as page } from "./page.ts";
import { createdShare, createShareRequest, redeemedShare, redeemRequest, sharePage, shareParams, sharesQuery } from "./schema.ts";
import type { ShareService } from "./service.ts";

/**
 * GET    /v1/secrets/shared                  open: the page behind a link
 * POST   /v1/secrets/shared/redeem           open
 * POST   /v1/secrets/:name/share
 * GET    /v1/secrets/:name/shares
 * DELETE /v1/secrets/:name/shares/:shareId
 */
export function shareRoutes({ secretShares: shares, guards }: { readonly secretShares: ShareService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        tags: ["secrets"],
        middleware: guards.open,
        method: "get",
        path: "/v1/secrets/shared",
        summary: "The page behind a one-time link",
        description: "It shows the value when its button is pressed; opening the page uses nothing up.",
        responses: { 200: { description: "The page", content: { "text/html": { schema: { type: "string" } } } } },
      }),
      (c) => c.body(page, 200, pageHeaders),
    )
    .openapi(
      createRoute({
        tags: ["secrets"],
        middleware: guards.credentials,
        method: "post",
        path: "/v1/secrets/shared/redeem",
        summary: "Use a one-time link: it gives its value once",
        request: { body: jsonBody(redeemRequest) },
        responses: {
          200: jsonAnswer("The value, this once", redeemedShare),
          ...problemAnswers("validation_failed", "invalid_link", "secret_unreadable"),
        },
      }),
      async (c) => {
        // Kept for an Idempotency-Key it would be there twice.
        c.env.issuesTokens = true;
        return c.json(await shares.redeem(c.req.valid("json"), c.env.origin), 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/secrets/{name}/share",
        summary: "Make a one-time link to the value, for somebody without an account",
        description: "The link has the value as it is now, encrypted under a key that only the link gives.",
        request: { params: nameParams, query: whoseQuery, body: { ...jsonBody(createShareRequest), required: false } },
        responses: {
          201: jsonAnswer("The link, shown only here", createdShare),
          ...problemAnswers(...refusals, "invalid_reference", "approval_required", "secret_expired", "secret_unreadable"),
        },
      }),
      async (c) => {
        c.env.issuesTokens = true;
        const named = { ...c.req.valid("query"), name: c.req.valid("param").name };
        const { expiresInSeconds = 86_400, version } = c.req.valid("json") ?? {};
        return c.json(await shares.create(callOf(c), named, { expiresInSeconds, version }), 201);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/secrets/{name}/shares",
        summary: "One-time links to a secret, newest first, without their tokens",
        request: { params: nameParams, query: sharesQuery },
        responses: { 200: jsonAnswer("A page of links", sharePage), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await shares.list({ actor: actorOf(c) }, { ...c.req.valid("query"), name: c.req.valid("param").name }), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/secrets/{name}/shares/{shareId}",
        summary: "Take a one-time link back",
        request: { params: shareParams, query: whoseQuery },
        responses: { 204: { description: "It gives nothing any more" }, ...problemAnswers(...refusals, "conflict") },
      }),
      async (c) => {
        const { name, shareId } = c.req.valid("param");
        await shares.revoke(callOf(c), { ...c.req.valid("query"), name }, shareId);
        return c.body(null, 204);
      },
    );
}
