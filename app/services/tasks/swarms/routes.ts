import { createRoute, z } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import type { SandboxBounds } from "../../sandbox/schema.ts";
import { longRunningQuery } from "../long-running/schema.ts";
import { swarmAnswer, swarmId, swarmPage, swarmRequest } from "./schema.ts";
import type { SwarmService } from "./service.ts";

export interface SwarmRoutesDeps {
  readonly swarms: SwarmService;
  readonly guards: Guards;
  readonly bounds: SandboxBounds;
}

/**
 * POST /v1/swarms
 * GET  /v1/swarms
 * GET  /v1/swarms/:id
 */
export function swarmRoutes({ swarms, guards, bounds }: SwarmRoutesDeps) {
  const common = { tags: ["tasks"], security: keySecurity, middleware: guards.signedIn };

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/swarms",
        summary: "Have agents work on a goal in rounds",
        description: [
          "Each agent is a program that is asked once a round. It sees as `input` `{goal, round, board, input}`: `board` has what each agent has posted last, by its name, as it was when the round began.",
          "It puts out `{post?, done?}`: `post` goes onto the board when the round ends, `done: true` makes it the last round. One that fails sits out the round; when all fail, so does the swarm.",
          "Each turn is saved as it ends. `/v1/tasks/{taskId}` pauses, resumes and cancels it, tries it again from where it was, and streams what happens.",
        ].join("\n\n"),
        request: { body: jsonBody(swarmRequest(bounds)) },
        responses: {
          202: jsonAnswer("The swarm that was accepted", swarmAnswer),
          ...problemAnswers("validation_failed", "forbidden", "payload_too_large", "queue_full"),
        },
      }),
      async (c) => c.json({ swarm: await swarms.create(actorOf(c), c.req.valid("json"), c.env.requestId) }, 202),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/swarms",
        summary: "Swarms, newest first; your own, or all of them for an administrator",
        request: { query: longRunningQuery },
        responses: { 200: jsonAnswer("A page of swarms", swarmPage), ...problemAnswers("validation_failed", "invalid_cursor") },
      }),
      async (c) => c.json(await swarms.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/swarms/{id}",
        summary: "One swarm, and how far it has come",
        request: { params: z.object({ id: swarmId }) },
        responses: { 200: jsonAnswer("The swarm", swarmAnswer), ...problemAnswers("validation_failed", "not_found") },
      }),
      async (c) => c.json({ swarm: await swarms.get(actorOf(c), c.req.valid("param").id) }, 200),
    );
}
