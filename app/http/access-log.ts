import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./env.ts";

/** One line per request: `debug` for answered ones, so that the hot path stays quiet by default, `info` for refused and `warn` for failed ones. */
export const accessLog = createMiddleware<AppEnv>(async function accessLog(c, next) {
  const startedAt = performance.now();
  await next();
  const { status } = c.res;
  const level = status >= 500 ? "warn" : status >= 400 ? "info" : "debug";
  if (!c.var.log.isLevelEnabled(level)) return;
  const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
  c.var.log[level](
    { method: c.req.method, path: c.req.path, status, durationMs, ...(c.var.actor ? { userId: c.var.actor.userId } : {}) },
    "request",
  );
});
