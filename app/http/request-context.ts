import { createMiddleware } from "hono/factory";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/logger.ts";
import type { AppContext, AppEnv } from "./env.ts";

const acceptableId = /^[\w.=-]{1,128}$/;
/** W3C Trace Context §3.2: version, trace id, parent id, flags; version ff and ids of zeros are not valid. */
const traceparentShape = /^(?!ff)[0-9a-f]{2}-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Gives the request its id (the caller's `X-Request-Id` when it is well formed), its origin and its logger, and answers with the id.
 * `trustProxy` takes the client address from `X-Forwarded-For`: only behind a proxy that sets it.
 */
export function requestContext(options: { readonly log: Logger; readonly trustProxy: boolean }) {
  return createMiddleware<AppEnv>(async function requestContext(c, next) {
    const given = c.req.header("x-request-id");
    const requestId = given && acceptableId.test(given) ? given : newId("request");
    const traceId = traceparentShape.exec(c.req.header("traceparent") ?? "")?.groups?.traceId;
    c.set("requestId", requestId);
    c.set("origin", { requestId, ip: clientAddress(c, options.trustProxy), userAgent: c.req.header("user-agent")?.slice(0, 512) });
    c.set("log", options.log.child(traceId ? { requestId, traceId } : { requestId }));
    await next();
    c.header("x-request-id", requestId);
  });
}

function clientAddress(c: AppContext, trustProxy: boolean): string | undefined {
  const forwarded = trustProxy ? c.req.header("x-forwarded-for")?.split(",")[0]?.trim() : undefined;
  return forwarded || c.env.server.requestIP(c.req.raw)?.address;
}
