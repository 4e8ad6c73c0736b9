import { Problem } from "../platform/errors.ts";
import type { LimitDecision, Limiter, LimitPolicy } from "../platform/limiter/port.ts";
import { networkOf } from "../platform/network.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";

/** Whom a request counts against. */
export type LimitKey = (c: AppContext) => string;

export const byAddress: LimitKey = (c) => `ip:${networkOf(c.env.ip ?? "unknown")}`;
export const byUser: LimitKey = (c) => {
  const { actor } = c.env;
  return actor ? `user:${actor.userId}` : byAddress(c);
};

/** Refuses with 429 beyond the policy; always tells the state (IETF draft-ietf-httpapi-ratelimit-headers-11). */
export function rateLimit(limiter: Limiter, policy: LimitPolicy, key: LimitKey): Check {
  const policyHeader = `"${policy.name}";q=${policy.limit};w=${policy.windowSeconds}`;
  return function rateLimit(c) {
    const decision = limiter.consume(policy, key(c));
    return decision instanceof Promise ? decision.then((it) => settle(c, it)) : settle(c, decision);
  };

  function settle(c: AppContext, decision: LimitDecision): void {
    c.env.answerHeaders.set("ratelimit-policy", policyHeader);
    c.env.answerHeaders.set("ratelimit", state(policy, decision));
    if (!decision.allowed) {
      throw new Problem("rate_limited", {
        detail: `The limit of ${policy.limit} requests per ${policy.windowSeconds} s is used up.`,
        retryAfterSeconds: Math.max(1, decision.resetSeconds),
      });
    }
  }
}

function state(policy: LimitPolicy, decision: LimitDecision): string {
  return `"${policy.name}";r=${decision.remaining};t=${decision.resetSeconds}`;
}
