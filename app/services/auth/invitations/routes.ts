import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import { invitationAnswer, invitationPage, invitationParams, invitationQuery, inviteRequest } from "./schema.ts";
import type { AccountInvitations } from "./service.ts";

/**
 * POST   /v1/invitations       administrators
 * GET    /v1/invitations       administrators
 * DELETE /v1/invitations/:id   administrators
 */
export function invitationRoutes({ invitations, guards }: { readonly invitations: AccountInvitations; readonly guards: Guards }) {
  const common = { tags: ["auth"], middleware: guards.admin };
  const refusals = ["unauthenticated", "forbidden", "insufficient_scope"] as const;
  const writeProblems = ["validation_failed", "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        security: bearerSecurity,
        method: "post",
        path: "/v1/invitations",
        summary: "Invite somebody to sign up",
        description: "The mail has a link that is good for one sign-up with that address, within seven days, unless KEELSON_SIGNUP=closed.",
        request: { body: jsonBody(inviteRequest) },
        responses: {
          201: jsonAnswer("The invitation, whose link is in the mail only", invitationAnswer),
          ...problemAnswers(...refusals, ...writeProblems, "email_taken"),
        },
      }),
      async (c) => {
        const call = { actor: actorOf(c), origin: c.env.origin };
        return c.json({ invitation: await invitations.invite(call, c.req.valid("json")) }, 201);
      },
    )
    .openapi(
      createRoute({
        ...common,
        security: keySecurity,
        method: "get",
        path: "/v1/invitations",
        summary: "Open invitations, in the order they were sent",
        request: { query: invitationQuery },
        responses: { 200: jsonAnswer("A page of invitations", invitationPage), ...problemAnswers(...refusals, "validation_failed") },
      }),
      async (c) => c.json(await invitations.list(c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        security: bearerSecurity,
        method: "delete",
        path: "/v1/invitations/{id}",
        summary: "Withdraw an invitation",
        request: { params: invitationParams },
        responses: { 204: { description: "Its link is of no use any more" }, ...problemAnswers(...refusals, "not_found") },
      }),
      async (c) => {
        await invitations.withdraw({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id);
        return c.body(null, 204);
      },
    );
}
