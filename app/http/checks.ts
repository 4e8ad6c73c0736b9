import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./env.ts";

/** Looks at a request before its route and throws to refuse it. */
export type Check = (c: AppContext) => void | Promise<void>;

/** One middleware that makes several checks in order: a middleware for each would cost more than most of the checks do. */
export function checks(...all: readonly Check[]): MiddlewareHandler<AppEnv> {
  return createMiddleware<AppEnv>(async function checks(c, next) {
    for (const check of all) {
      const pending = check(c);
      if (pending !== undefined) await pending;
    }
    await next();
  });
}
