import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../../http/route.ts";
import type { DeliveryService } from "../deliveries/service.ts";
import {
  createdSubscription,
  createSubscriptionRequest,
  deadDeliveryPage,
  pageQuery,
  redriveRequest,
  replayRequest,
  rotatedSecret,
  rotateSecretRequest,
  subscriptionAnswer,
  subscriptionId,
  subscriptionPage,
  subscriptionStats,
  updateSubscriptionRequest,
} from "./schema.ts";
import type { SubscriptionService } from "./service.ts";

export interface SubscriptionRoutesDeps {
  readonly subscriptions: SubscriptionService;
  readonly deliveries: DeliveryService;
  readonly guards: Guards;
}

/**
 * POST   /v1/subscriptions
 * GET    /v1/subscriptions
 * GET    /v1/subscriptions/:id
 * PATCH  /v1/subscriptions/:id
 * DELETE /v1/subscriptions/:id
 * POST   /v1/subscriptions/:id/rotate-secret
 * GET    /v1/subscriptions/:id/stats
 * GET    /v1/subscriptions/:id/dead-letters
 * POST   /v1/subscriptions/:id/redrive
 * POST   /v1/subscriptions/:id/replay
 */
export function subscriptionRoutes({ subscriptions, deliveries, guards }: SubscriptionRoutesDeps) {
  const params = z.object({ id: subscriptionId });
  const common = { tags: ["events"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["unauthenticated", "insufficient_scope"] as const;
  const writeProblems = [...refusals, "validation_failed", "invalid_pattern", "forbidden_address", "forbidden"] as const;

  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/subscriptions",
        summary: "Have events sent to an address as signed webhooks",
        description:
          "At least once, from now on, what you may see: CloudEvents, signed by the Standard Webhooks scheme. An answer of 2xx within ten seconds takes it; otherwise it is tried eight times over a day, and then kept among the dead letters.",
        request: { body: jsonBody(createSubscriptionRequest) },
        responses: {
          201: jsonAnswer("The subscription and its signing secret", createdSubscription),
          ...problemAnswers(...writeProblems, "conflict"),
        },
      }),
      async (c) => c.json(await subscriptions.create(callOf(c), c.req.valid("json")), 201),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/subscriptions",
        summary: "Subscriptions, newest first; your own, or all of them for an administrator",
        request: { query: pageQuery },
        responses: { 200: jsonAnswer("A page of subscriptions", subscriptionPage), ...problemAnswers(...refusals, "validation_failed") },
      }),
      async (c) => c.json(await subscriptions.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/subscriptions/{id}",
        summary: "One subscription",
        request: { params },
        responses: { 200: jsonAnswer("The subscription", subscriptionAnswer), ...problemAnswers(...refusals, "not_found") },
      }),
      async (c) => c.json({ subscription: await subscriptions.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "patch",
        path: "/v1/subscriptions/{id}",
        summary: "Change, pause, resume or enable a subscription",
        description:
          "While it is paused events wait. One that was disabled begins anew when it is made active; replay brings what came meanwhile.",
        request: { params, body: jsonBody(updateSubscriptionRequest) },
        responses: { 200: jsonAnswer("The subscription", subscriptionAnswer), ...problemAnswers(...writeProblems, "not_found") },
      }),
      async (c) => c.json({ subscription: await subscriptions.update(callOf(c), c.req.valid("param").id, c.req.valid("json")) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/subscriptions/{id}",
        summary: "Delete a subscription, with all that waits for it",
        request: { params },
        responses: { 204: { description: "Nothing is sent there any more" }, ...problemAnswers(...refusals, "forbidden", "not_found") },
      }),
      async (c) => {
        await subscriptions.delete(callOf(c), c.req.valid("param").id);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/subscriptions/{id}/rotate-secret",
        summary: "Another signing secret; the old one signs too until its time is over",
        request: { params, body: { ...jsonBody(rotateSecretRequest), required: false } },
        responses: { 200: jsonAnswer("The new secret", rotatedSecret), ...problemAnswers(...writeProblems, "not_found") },
      }),
      async (c) => {
        const { overlapSeconds = usualOverlapSeconds } = c.req.valid("json") ?? {};
        return c.json(await subscriptions.rotateSecret(callOf(c), c.req.valid("param").id, overlapSeconds), 200);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/subscriptions/{id}/stats",
        summary: "How the deliveries go: rate, lag, errors, latency",
        request: { params },
        responses: { 200: jsonAnswer("The figures", z.object({ stats: subscriptionStats })), ...problemAnswers(...refusals, "not_found") },
      }),
      async (c) => c.json({ stats: await deliveries.stats(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/subscriptions/{id}/dead-letters",
        summary: "Deliveries that failed for good, newest first, with their events",
        request: { params, query: pageQuery },
        responses: {
          200: jsonAnswer("A page of dead letters", deadDeliveryPage),
          ...problemAnswers(...refusals, "validation_failed", "not_found"),
        },
      }),
      async (c) => c.json(await deliveries.deadLetters(actorOf(c), c.req.valid("param").id, c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/subscriptions/{id}/redrive",
        summary: "Give dead letters all their attempts again: those of `deliveryIds`, or all",
        request: { params, body: { ...jsonBody(redriveRequest), required: false } },
        responses: {
          202: jsonAnswer("How many are under way again", z.object({ redriven: z.number().int() })),
          ...problemAnswers(...writeProblems, "not_found", "conflict"),
        },
      }),
      async (c) => {
        const { deliveryIds } = c.req.valid("json") ?? {};
        return c.json({ redriven: await deliveries.redrive(callOf(c), c.req.valid("param").id, deliveryIds) }, 202);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/subscriptions/{id}/replay",
        summary: "Send again what the log holds since a time or an event",
        request: { params, body: jsonBody(replayRequest) },
        responses: {
          202: jsonAnswer("The task that collects it", z.object({ taskId: z.string() })),
          ...problemAnswers(...writeProblems, "not_found", "conflict"),
        },
      }),
      async (c) => c.json(await deliveries.replay(callOf(c), c.req.valid("param").id, c.req.valid("json").since), 202),
    );
}

/** A day. */
const usualOverlapSeconds = 86_400;

function callOf(c: AppContext) {
  return { actor: actorOf(c), origin: c.env.origin };
}
