import { createRoute } from "@hono/zod-openapi";
import { getCookie, setCookie } from "hono/cookie";
import type { AppContext } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { createRoutes, type Guards, jsonAnswer, keySecurity, problemAnswers } from "../../../http/route.ts";
import { callOf } from "../call.ts";
import { whoseQuery } from "../schema.ts";
import { connectedPage } from "./page.ts";
import { authorizeAnswer, callbackQuery, connectionAnswer, connectionList, deletedAnswer, integrationParam } from "./schema.ts";
import type { ConnectCookie, ConnectionService } from "./service.ts";

/**
 * GET    /v1/connections
 * GET    /v1/connections/:integration/authorize
 * GET    /v1/connections/:integration/callback
 * POST   /v1/connections/:integration/refresh
 * DELETE /v1/connections/:integration
 */
export function connectionRoutes({ connections, guards }: { readonly connections: ConnectionService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.signedIn };
  const refusals = ["validation_failed", "not_found", "forbidden"] as const;
  const outside = ["integration_disabled", "oauth_failed", "provider_unavailable"] as const;
  const request = { params: integrationParam, query: whoseQuery };
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/connections",
        summary: "Services outside that are connected, and those that can be",
        request: { query: whoseQuery },
        responses: { 200: jsonAnswer("The connections, without their tokens", connectionList), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await connections.list(callOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/connections/{integration}/authorize",
        summary: "Begin to connect a service outside",
        description: "To be asked by the browser that then goes on to `url`: a cookie ties the way back to it.",
        request,
        responses: { 200: jsonAnswer("Where the browser goes next", authorizeAnswer), ...problemAnswers(...refusals, ...outside) },
      }),
      async (c) => {
        const { url, cookie } = await connections.authorize(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") });
        keepInBrowser(c, cookie);
        return c.json({ url }, 200);
      },
    )
    .openapi(
      createRoute({
        tags: ["secrets"],
        middleware: guards.open,
        method: "get",
        path: "/v1/connections/{integration}/callback",
        summary: "Where the service outside sends the browser back to",
        request: { params: integrationParam, query: callbackQuery },
        responses: {
          200: { description: "A page that says that it is connected" },
          ...problemAnswers("validation_failed", "invalid_oauth_flow", "not_found", ...outside),
        },
      }),
      async (c) => {
        await connections.finish(c.req.valid("param").integration, new URL(c.req.url).searchParams, (name) => getCookie(c, name));
        return c.body(connectedPage, 200, pageHeaders);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/connections/{integration}/refresh",
        summary: "Get new tokens now",
        description: "The program does it by itself when they are due.",
        request,
        responses: {
          200: jsonAnswer("The connection", connectionAnswer),
          ...problemAnswers(...refusals, ...outside, "reconnection_required"),
        },
      }),
      async (c) => c.json({ connection: await connections.refresh(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "delete",
        path: "/v1/connections/{integration}",
        summary: "Disconnect a service outside, and revoke its tokens there",
        request,
        responses: { 200: jsonAnswer("Whether the service has revoked them", deletedAnswer), ...problemAnswers(...refusals) },
      }),
      async (c) => c.json(await connections.delete(callOf(c), { ...c.req.valid("param"), ...c.req.valid("query") }), 200),
    );
}

/** Lax, because the browser comes back by a link from another site. */
function keepInBrowser(c: AppContext, { name, value, secure, maxAgeSeconds: maxAge }: ConnectCookie): void {
  setCookie(c, name, value, { httpOnly: true, secure, sameSite: "Lax", path: "/", maxAge });
  c.header("cache-control", "no-store");
  c.header("referrer-policy", "no-referrer");
}
