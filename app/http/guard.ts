import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./env.ts";

/** Looks at a request before its route and throws to refuse it. */
export type Check = (c: AppContext) => void | Promise<void>;

/** One middleware that makes several checks in order and then leaves a write to `around`: a middleware for each would cost more than most of the checks do. */
export function guard(around: MiddlewareHandler<AppEnv>, ...checks: readonly Check[]): MiddlewareHandler<AppEnv> {
  return createMiddleware<AppEnv>(async function guard(c, next) {
    for (const check of checks) {
      const pending = check(c);
      if (pending !== undefined) await pending;
    }
    return c.req.method === "GET" ? next() : around(c, next);
  });
}
