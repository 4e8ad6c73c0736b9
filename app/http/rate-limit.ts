import { Problem } from "../platform/errors.ts";
import type { LimitDecision, Limiter, LimitPolicy } from "../platform/limiter/port.ts";
import { networkOf } from "../platform/network.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";

/** Whom a request counts against. */
export type LimitKey = (c: AppContext) => string;

export const byAddress: LimitKey = (c) => `ip:${networkOf(c.env.ip ?? "unknown")}`;
const byUser: LimitKey = (c) => {
  const { actor } = c.env;
  return actor ? `user:${actor.userId}` : byAddress(c);
};

/** Refuses with 429 beyond the policy; always tells the state (IETF draft-ietf-httpapi-ratelimit-headers-11). */
export function rateLimit(limiter: Limiter, policy: LimitPolicy, key: LimitKey): Check {
  return function rateLimit(c) {
    return consume(c, limiter, { policy, key: key(c) });
  };
}

/** A key with a limit of its own has a window of its own; everything else counts against the user, so that many keys are not many windows. */
export function rateLimitCaller(limiter: Limiter, general: LimitPolicy): Check {
  return function rateLimitCaller(c) {
    const via = c.env.actor?.via;
    if (via?.kind !== "api_key" || via.rateLimit === undefined) return consume(c, limiter, { policy: general, key: byUser(c) });
    return consume(c, limiter, { policy: { name: "api-key", limit: via.rateLimit, windowSeconds: 60 }, key: `key:${via.keyId}` });
  };
}

interface Counted {
  readonly policy: LimitPolicy;
  readonly key: string;
}

function consume(c: AppContext, limiter: Limiter, { policy, key }: Counted): void | Promise<void> {
  const decision = limiter.consume(policy, key);
  return decision instanceof Promise ? decision.then((it) => settle(c, policy, it)) : settle(c, policy, decision);
}

function settle(c: AppContext, policy: LimitPolicy, decision: LimitDecision): void {
  c.env.answerHeaders.set("ratelimit-policy", `"${policy.name}";q=${policy.limit};w=${policy.windowSeconds}`);
  c.env.answerHeaders.set("ratelimit", state(policy, decision));
  if (!decision.allowed) {
    throw new Problem("rate_limited", {
      detail: `The limit of ${policy.limit} requests per ${policy.windowSeconds} s is used up.`,
      retryAfterSeconds: Math.max(1, decision.resetSeconds),
    });
  }
}

function state(policy: LimitPolicy, decision: LimitDecision): string {
  return `"${policy.name}";r=${decision.remaining};t=${decision.resetSeconds}`;
}
