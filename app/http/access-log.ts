import type { RequestContext } from "./request-context.ts";

/** One line per request: `debug` for answered ones, so that the hot path stays quiet by default, `info` for refused and `warn` for failed ones. */
export function logAccess(request: Request, context: RequestContext, done: { readonly status: number; readonly startedAt: number }): void {
  const { status } = done;
  const level = status >= 500 ? "warn" : status >= 400 ? "info" : "debug";
  if (!context.isLevelEnabled(level)) return;
  const durationMs = Math.round((performance.now() - done.startedAt) * 100) / 100;
  const { actor } = context;
  const path = pathOf(request.url);
  context.log[level]({ method: request.method, path, status, durationMs, ...(actor ? { userId: actor.userId } : {}) }, "request");
}

/** Not by `URL`, which throws for a Host header that is none; the query may hold secrets and is left out. */
function pathOf(url: string): string {
  const [withoutQuery = ""] = url.split("?", 1);
  return withoutQuery.replace(/^https?:\/\/[^/]*/, "");
}
