import { createRoute } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { bearerSecurity, createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import type { InvitationService } from "./invitations.ts";
import {
  acceptRequest,
  invitationAnswer,
  invitationPage,
  invitationParams,
  inviteRequest,
  memberAnswer,
  memberPage,
  memberParams,
  memberRequest,
  pageQuery,
  teamAnswer,
  teamPage,
  teamParams,
  teamRequest,
} from "./schema.ts";
import type { TeamService } from "./service.ts";

/**
 * POST   /v1/teams
 * GET    /v1/teams
 * POST   /v1/teams/invitations/accept
 * GET    /v1/teams/:id
 * PATCH  /v1/teams/:id
 * DELETE /v1/teams/:id
 * GET    /v1/teams/:id/members
 * POST   /v1/teams/:id/members
 * GET    /v1/teams/:id/members/:userId
 * PATCH  /v1/teams/:id/members/:userId
 * DELETE /v1/teams/:id/members/:userId
 * GET    /v1/teams/:id/invitations
 * DELETE /v1/teams/:id/invitations/:invitationId
 */
export function teamRoutes(deps: { readonly teams: TeamService; readonly invitations: InvitationService; readonly guards: Guards }) {
  const { teams, invitations, guards } = deps;
  const common = { tags: ["auth"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["unauthenticated", "insufficient_scope"] as const;
  const readProblems = [...refusals, "validation_failed"] as const;
  const writeProblems = [...readProblems, "malformed_json", "unsupported_media_type", "rate_limited"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/teams",
        summary: "Found a team; you are its owner",
        request: { body: jsonBody(teamRequest) },
        responses: { 201: jsonAnswer("The team", teamAnswer), ...problemAnswers(...writeProblems, "forbidden") },
      }),
      async (c) => c.json({ team: await teams.create(callOf(c), c.req.valid("json")) }, 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/teams",
        summary: "The teams you are in",
        request: { query: pageQuery },
        responses: { 200: jsonAnswer("A page of teams", teamPage), ...problemAnswers(...readProblems) },
      }),
      async (c) => c.json(await teams.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        security: bearerSecurity,
        middleware: guards.signedInCredentials,
        method: "post",
        path: "/v1/teams/invitations/accept",
        summary: "Join a team with the code from an invitation",
        request: { body: jsonBody(acceptRequest) },
        responses: { 200: jsonAnswer("The team", teamAnswer), ...problemAnswers(...writeProblems, "not_found") },
      }),
      async (c) => c.json({ team: await invitations.accept(callOf(c), c.req.valid("json").token) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/teams/{id}",
        summary: "One team",
        request: { params: teamParams },
        responses: { 200: jsonAnswer("The team", teamAnswer), ...problemAnswers(...readProblems, "not_found") },
      }),
      async (c) => c.json({ team: await teams.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/teams/{id}",
        summary: "Rename a team",
        request: { params: teamParams, body: jsonBody(teamRequest) },
        responses: { 200: jsonAnswer("The team", teamAnswer), ...problemAnswers(...writeProblems, "forbidden", "not_found") },
      }),
      async (c) => c.json({ team: await teams.rename(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/teams/{id}",
        summary: "Delete a team with its invitations and keys",
        request: { params: teamParams },
        responses: { 204: { description: "The team is gone" }, ...problemAnswers(...refusals, "forbidden", "not_found") },
      }),
      async (c) => {
        await teams.delete(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/teams/{id}/members",
        summary: "Who is in a team",
        request: { params: teamParams, query: pageQuery },
        responses: { 200: jsonAnswer("A page of members", memberPage), ...problemAnswers(...readProblems, "not_found") },
      }),
      async (c) => c.json(await teams.members(actorOf(c), c.req.valid("param").id, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/teams/{id}/members",
        summary: "Invite somebody by e-mail",
        request: { params: teamParams, body: jsonBody(inviteRequest) },
        responses: {
          202: jsonAnswer("The invitation is on its way, whether or not the address has an account", invitationAnswer),
          ...problemAnswers(...writeProblems, "forbidden", "not_found", "conflict"),
        },
      }),
      async (c) => c.json({ invitation: await invitations.invite(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/teams/{id}/members/{userId}",
        summary: "One member",
        request: { params: memberParams },
        responses: { 200: jsonAnswer("The member", memberAnswer), ...problemAnswers(...readProblems, "not_found") },
      }),
      async (c) => c.json({ member: await teams.member(actorOf(c), c.req.valid("param")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/teams/{id}/members/{userId}",
        summary: "Change a member's role, or hand the team over",
        request: { params: memberParams, body: jsonBody(memberRequest) },
        responses: {
          200: jsonAnswer("The member", memberAnswer),
          ...problemAnswers(...writeProblems, "forbidden", "not_found", "conflict"),
        },
      }),
      async (c) => c.json({ member: await teams.changeMember(callOf(c), c.req.valid("param"), c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/teams/{id}/members/{userId}",
        summary: "Remove a member, or leave",
        request: { params: memberParams },
        responses: {
          204: { description: "The member is out; the keys they made for the team are refused" },
          ...problemAnswers(...refusals, "forbidden", "not_found", "conflict"),
        },
      }),
      async (c) => {
        await teams.removeMember(callOf(c), c.req.valid("param"));
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/teams/{id}/invitations",
        summary: "Open invitations",
        request: { params: teamParams, query: pageQuery },
        responses: {
          200: jsonAnswer("A page of invitations", invitationPage),
          ...problemAnswers(...readProblems, "forbidden", "not_found"),
        },
      }),
      async (c) => c.json(await invitations.list(actorOf(c), c.req.valid("param").id, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/teams/{id}/invitations/{invitationId}",
        summary: "Withdraw an invitation",
        request: { params: invitationParams },
        responses: { 204: { description: "Its code no longer works" }, ...problemAnswers(...refusals, "forbidden", "not_found") },
      }),
      async (c) => {
        await invitations.withdraw(callOf(c), c.req.valid("param"));
        return c.body(null, 204);
      },
    );
}

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
