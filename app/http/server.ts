import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Server } from "bun";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { Registry } from "prom-client";
import { Problem } from "../platform/errors.ts";
import type { Logger } from "../platform/logger.ts";
import { type Answer, answerWith } from "./answer.ts";
import { docsRoutes } from "./docs.ts";
import type { AppContext, AppEnv } from "./env.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { metricsRoutes, requestHistogram } from "./metrics.ts";
import { answerProblem } from "./problem.ts";
import { createRoutes } from "./route.ts";
import { SegmentRouter } from "./segment-router.ts";

export interface AppDeps {
  readonly log: Logger;
  readonly trustedProxies: number;
  /** Origins whose pages may call us and read the answers; none: the browser's own rule stays as it is. */
  readonly corsOrigins: readonly string[];
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: Registry;
  /** What a scraper of the metrics has to show; undefined: nothing. */
  readonly metricsToken: string | undefined;
  /** One set of routes per service. */
  readonly services: readonly OpenAPIHono<AppEnv>[];
}

/** The whole HTTP surface, top to bottom in the order a request meets it. */
export function createApp(deps: AppDeps): Answer {
  const app = createRoutes(new SegmentRouter());
  app.onError((error, c) => answerProblem(error, c.env));
  app.notFound(answerUnmatched(app));

  if (deps.corsOrigins.length > 0) app.use(crossOrigin(deps.corsOrigins));
  app.route("/", healthRoutes({ readiness: deps.readiness }));
  app.route("/", metricsRoutes({ metrics: deps.metrics, token: deps.metricsToken }));
  for (const routes of deps.services) app.route("/", routes);
  app.route("/", docsRoutes(app));
  return answerWith(app, deps, requestHistogram(deps.metrics));
}

export interface HttpServer {
  readonly url: string;
  /** Takes no new connection and resolves when the running requests have ended; `now` cuts them. */
  stop(now: AbortSignal): Promise<void>;
}

/** Streams end on the same signal that cuts connections; what they say last is on its way for that long. */
const lastBytesMs = 50;

/** Puts the app on a port; 0 picks a free one. Throws when the port is taken. */
export function listen(answer: Answer, at: { readonly host: string; readonly port: number }): HttpServer {
  const server: Server<undefined> = Bun.serve({
    hostname: at.host,
    port: at.port,
    idleTimeout: 30,
    // Our own limit refuses with a problem, before the body is read; Bun's would answer bare. What nobody reads Bun does not keep.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    // Without development Bun 1.4 shares a port that is taken (SO_REUSEPORT), so that a second copy would start and get half of the requests.
    reusePort: false,
    fetch: answer,
  });
  return {
    url: `http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${server.port}`,
    stop: async (now) => {
      const cut = () => void setTimeout(() => void server.stop(true), lastBytesMs);
      now.addEventListener("abort", cut, { once: true });
      if (now.aborted) cut();
      await server.stop(false);
      now.removeEventListener("abort", cut);
    },
  };
}

function crossOrigin(origins: readonly string[]): MiddlewareHandler<AppEnv> {
  return cors({
    origin: [...origins],
    credentials: true,
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: ["X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After", "Idempotency-Replayed"],
    maxAge: 600,
  });
}

/** The library's middleware, asked only here: what it looks for are requests that no route has taken. */
function answerUnmatched(app: OpenAPIHono<AppEnv>) {
  const refuseKnownPath = methodNotAllowed({ app, onMethodNotAllowed: refuseMethod });
  return async (c: AppContext): Promise<Response> => {
    c.res = answerProblem(new Problem("not_found", { detail: `There is no ${c.req.path}.` }), c.env);
    await refuseKnownPath(c, async () => undefined);
    return c.res;
  };
}

function refuseMethod(c: AppContext, methods: readonly string[]): Response {
  const allow = methods.join(", ");
  return answerProblem(new Problem("method_not_allowed", { detail: `${c.req.path} takes ${allow}.`, headers: { allow } }), c.env);
}
