import type { Server } from "bun";
import type { Actor, RequestOrigin } from "../platform/actor.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/logger.ts";
import { parseAddress } from "../platform/network.ts";

const acceptableId = /^[\w.=-]{1,128}$/;
/** W3C Trace Context §3.2: version, trace id, parent id, flags; version ff and ids of zeros are not valid. */
const traceparentShape = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export interface RequestContextOptions {
  readonly log: Logger;
  /** How many proxies a request comes through. Each adds the address it was asked from to `X-Forwarded-For`, so whatever stands before those was sent by the client. */
  readonly trustedProxies: number;
}

/**
 * What is known of one request, on its whole way. A class, because a request on the hot path asks for little of it: the address, the
 * logger and the like are made when something asks.
 */
export class RequestContext {
  /** The caller's `X-Request-Id` when it is well formed. */
  readonly requestId: string;
  /** What the answer to this request carries, a refusal too. */
  readonly answerHeaders = new Map<string, string>();
  /** Set by `authenticate`; handlers read it through `actorOf`. */
  actor: Actor | undefined = undefined;
  /** Whether a cookie, which the browser sends by itself, is all that was shown. */
  byCookie = false;
  /** Whether the answer gives out the tokens of a session, which no `Idempotency-Key` brings back. */
  issuesTokens = false;
  readonly server: Server<undefined>;
  readonly #request: Request;
  readonly #options: RequestContextOptions;
  #log: Logger | undefined = undefined;

  constructor(request: Request, server: Server<undefined>, options: RequestContextOptions) {
    const given = request.headers.get("x-request-id");
    this.requestId = given && acceptableId.test(given) ? given : newId("request");
    this.answerHeaders.set("x-request-id", this.requestId);
    this.server = server;
    this.#request = request;
    this.#options = options;
  }

  /** The client's address in its one spelling; undefined when a proxy has written something else in its place. */
  get ip(): string | undefined {
    const address = this.#forwardedFor() || this.server.requestIP(this.#request)?.address;
    return address === undefined ? undefined : parseAddress(address);
  }

  get origin(): RequestOrigin {
    const { requestId, ip, traceparent } = this;
    return { requestId, ip, userAgent: this.#request.headers.get("user-agent")?.slice(0, 512), traceparent };
  }

  /** Undefined unless it is well formed. */
  get traceparent(): string | undefined {
    const given = this.#request.headers.get("traceparent");
    return given !== null && traceparentShape.test(given) ? given : undefined;
  }

  /** Writes lines with the request's id. */
  get log(): Logger {
    this.#log ??= this.#options.log.child({ requestId: this.requestId, ...this.#trace() });
    return this.#log;
  }

  isLevelEnabled(level: "debug" | "info" | "warn"): boolean {
    return this.#options.log.isLevelEnabled(level);
  }

  #forwardedFor(): string | undefined {
    const { trustedProxies } = this.#options;
    if (trustedProxies === 0) return undefined;
    return this.#request.headers.get("x-forwarded-for")?.split(",").at(-trustedProxies)?.trim();
  }

  #trace(): { readonly traceId?: string } {
    const traceId = this.traceparent?.split("-")[1];
    return traceId ? { traceId } : {};
  }
}
