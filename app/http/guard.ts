import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./env.ts";

/** Looks at a request before its route and throws to refuse it. */
export type Check = (c: AppContext) => void | Promise<void>;

/** A middleware that says whom it lets through. */
export type Guard = MiddlewareHandler<AppEnv> & { readonly admits: "anybody" | "users" | "admins" };

/** One middleware that makes several checks in order and then leaves a write to `around`: a middleware for each would cost more than most of the checks do. */
export function guard(admits: Guard["admits"], around: MiddlewareHandler<AppEnv>, ...checks: readonly Check[]): Guard {
  const handler = createMiddleware<AppEnv>(async function guard(c, next) {
    for (const check of checks) {
      const pending = check(c);
      if (pending !== undefined) await pending;
    }
    return c.req.method === "GET" ? next() : around(c, next);
  });
  return Object.assign(handler, { admits });
}
