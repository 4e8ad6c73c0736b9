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
    // The body limit puts another request in its place, of which Bun knows no address.
    const asReceived = c.req.raw;
    const ip = once(() => (options.trustProxy && forwardedFor(c)) || c.env.server.requestIP(asReceived)?.address);
    c.set("requestId", requestId);
    c.set("origin", {
      requestId,
      get ip() {
        return ip();
      },
      get userAgent() {
        return c.req.header("user-agent")?.slice(0, 512);
      },
    });
    c.set(
      "log",
      once(() => options.log.child(correlation(c, requestId))),
    );
    const answerHeaders = new Map([["x-request-id", requestId]]);
    c.set("answerHeaders", answerHeaders);
    await next();
    // Not by `c.header`: for each header it would make a new answer around the body of the one there is, at the price of a small request.
    for (const [name, value] of answerHeaders) c.res.headers.set(name, value);
  });
}

function correlation(c: AppContext, requestId: string) {
  const traceId = traceparentShape.exec(c.req.header("traceparent") ?? "")?.groups?.traceId;
  return traceId ? { requestId, traceId } : { requestId };
}

function forwardedFor(c: AppContext): string | undefined {
  return c.req.header("x-forwarded-for")?.split(",")[0]?.trim();
}

/** What only some requests need is made when one of them asks. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
