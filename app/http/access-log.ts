import { createMiddleware } from "hono/factory";
import type { Logger } from "../platform/logger.ts";
import { type AppEnv, logOf } from "./env.ts";

/** One line per request: `debug` for answered ones, so that the hot path stays quiet by default, `info` for refused and `warn` for failed ones. */
export function accessLog(log: Logger) {
  return createMiddleware<AppEnv>(async function accessLog(c, next) {
    const startedAt = performance.now();
    await next();
    const { status } = c.res;
    const level = status >= 500 ? "warn" : status >= 400 ? "info" : "debug";
    if (!log.isLevelEnabled(level)) return;
    const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
    const actor = c.get("actor");
    logOf(c)[level]({ method: c.req.method, path: c.req.path, status, durationMs, ...(actor ? { userId: actor.userId } : {}) }, "request");
  });
}
