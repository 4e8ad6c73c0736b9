import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Server } from "bun";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { methodNotAllowed } from "hono/method-not-allowed";
import { Problem } from "../platform/errors.ts";
import type { Logger } from "../platform/logger.ts";
import { accessLog } from "./access-log.ts";
import { docsRoutes } from "./docs.ts";
import type { AppContext, AppEnv } from "./env.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { answerProblem } from "./problem.ts";
import { requestContext } from "./request-context.ts";
import { createRoutes } from "./route.ts";

export interface AppDeps {
  readonly log: Logger;
  readonly trustProxy: boolean;
  readonly bodyBytesMax: number;
  readonly readiness: () => Promise<Readiness>;
  /** One set of routes per service. */
  readonly services: readonly OpenAPIHono<AppEnv>[];
}

/** The whole HTTP surface, top to bottom in the order a request meets it. */
export function createApp(deps: AppDeps): OpenAPIHono<AppEnv> {
  const app = createRoutes();
  app.onError((error, c) => answerProblem(error, c));
  app.notFound(answerUnmatched(app));

  app.use(requestContext({ log: deps.log, trustProxy: deps.trustProxy }));
  app.use(onlyErrors);
  app.use(accessLog(deps.log));
  app.use(bodyLimit({ maxSize: deps.bodyBytesMax, onError: refuseBody(deps.bodyBytesMax) }));

  app.route("/", healthRoutes({ readiness: deps.readiness }));
  for (const routes of deps.services) app.route("/", routes);
  app.route("/", docsRoutes(app));
  return app;
}

export interface HttpServer {
  readonly url: string;
  /** Takes no new connection and resolves when the running requests have ended; `now` cuts them. */
  stop(now: AbortSignal): Promise<void>;
}

/** Streams end on the same signal that cuts connections; what they say last is on its way for that long. */
const lastBytesMs = 50;

/** Puts the app on a port; 0 picks a free one. Throws when the port is taken. */
export function listen(app: OpenAPIHono<AppEnv>, at: { readonly host: string; readonly port: number }): HttpServer {
  const server: Server<undefined> = Bun.serve({
    hostname: at.host,
    port: at.port,
    idleTimeout: 30,
    // Our own limit refuses with a problem, before the body is read; Bun's would answer bare. What nobody reads Bun does not keep.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    // Without development Bun 1.4 shares a port that is taken (SO_REUSEPORT), so that a second copy would start and get half of the requests.
    reusePort: false,
    fetch: (request, self) => app.fetch(request, { server: self }),
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

/** Hono answers only thrown `Error`s; anything else a library throws would reach Bun, and its answer has no problem in it. */
const onlyErrors = createMiddleware<AppEnv>(async function onlyErrors(_c, next) {
  try {
    await next();
  } catch (thrown) {
    throw thrown instanceof Error ? thrown : new Error(`thrown: ${Bun.inspect(thrown)}`);
  }
});

/** The library's middleware, asked only here: what it looks for are requests that no route has taken. */
function answerUnmatched(app: OpenAPIHono<AppEnv>) {
  const refuseKnownPath = methodNotAllowed({ app, onMethodNotAllowed: refuseMethod });
  return async (c: AppContext): Promise<Response> => {
    c.res = answerProblem(new Problem("not_found", { detail: `There is no ${c.req.path}.` }), c);
    await refuseKnownPath(c, async () => undefined);
    return c.res;
  };
}

function refuseMethod(c: AppContext, methods: readonly string[]): Response {
  const allow = methods.join(", ");
  return answerProblem(new Problem("method_not_allowed", { detail: `${c.req.path} takes ${allow}.`, headers: { allow } }), c);
}

function refuseBody(bytesMax: number) {
  return (): never => {
    throw new Problem("payload_too_large", { detail: `The limit is ${bytesMax} bytes.` });
  };
}
