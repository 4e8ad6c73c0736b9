import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Server } from "bun";
import { bodyLimit } from "hono/body-limit";
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
  app.notFound((c) => answerProblem(new Problem("not_found", { detail: `There is no ${c.req.path}.` }), c));

  app.use(requestContext({ log: deps.log, trustProxy: deps.trustProxy }));
  app.use(accessLog);
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));
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

/** Puts the app on a port; 0 picks a free one. Throws when the port is taken. */
export function listen(
  app: OpenAPIHono<AppEnv>,
  at: { readonly host: string; readonly port: number; readonly bodyBytesMax: number },
): HttpServer {
  const server: Server<undefined> = Bun.serve({
    hostname: at.host,
    port: at.port,
    idleTimeout: 30,
    // Ours answers 413 as a problem; Bun's own limit only backs it up.
    maxRequestBodySize: at.bodyBytesMax * 2,
    fetch: (request, self) => app.fetch(request, { server: self }),
  });
  return {
    url: `http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${server.port}`,
    stop: async (now) => {
      const cut = () => void server.stop(true);
      now.addEventListener("abort", cut, { once: true });
      if (now.aborted) cut();
      await server.stop(false);
      now.removeEventListener("abort", cut);
    },
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
