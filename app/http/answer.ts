import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Server } from "bun";
import { logAccess } from "./access-log.ts";
import type { AppEnv } from "./env.ts";
import type { ObserveRequest } from "./metrics.ts";
import { answerProblem } from "./problem.ts";
import { RequestContext, type RequestContextOptions } from "./request-context.ts";

/** Answers one request of Bun's server; a promise only when something in it has to wait. */
export type Answer = (request: Request, server: Server<undefined>) => Response | Promise<Response>;

/**
 * What surrounds every request, whatever route it meets: it gets its context, the answer gets its headers, the log its line. Around the app
 * and not middleware in it, which costs a promise each on the hot path.
 */
export function answerWith(app: OpenAPIHono<AppEnv>, options: RequestContextOptions, observe: ObserveRequest): Answer {
  return function answer(request, server) {
    const startedAt = performance.now();
    const context = new RequestContext(request, server, options);
    const finish = (response: Response): Response => {
      for (const [name, value] of context.answerHeaders) response.headers.set(name, value);
      observe(request.method, response.status, (performance.now() - startedAt) / 1_000);
      logAccess(request, context, { status: response.status, startedAt });
      return response;
    };
    const refuse = (thrown: unknown): Response => finish(answerProblem(asError(thrown), context));
    try {
      const answered = app.fetch(withWholeUrl(request), context);
      return answered instanceof Promise ? answered.then(finish, refuse) : finish(answered);
    } catch (thrown) {
      return refuse(thrown);
    }
  };
}

/** Hono answers only thrown `Error`s; anything else a library throws comes through. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${Bun.inspect(thrown)}`);
}

/** Of a request without a Host header (HTTP/1.0, as load balancers probe) Bun knows the path alone, and a router needs more. */
function withWholeUrl(request: Request): Request {
  return request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request;
}
