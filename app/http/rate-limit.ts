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

/**
 * Everything counts against the user, so that many keys are not many windows. A key with a limit of its own counts against that first; one
 * whose limit is above the general one, which only administrators grant, against nothing else.
 */
export function rateLimitCaller(limiter: Limiter, general: LimitPolicy): Check {
  return function rateLimitCaller(c) {
    const via = c.env.actor?.via;
    const countForUser = () => consume(c, limiter, { policy: general, key: byUser(c) });
    if (via?.kind !== "api_key" || via.rateLimit === undefined) return countForUser();
    const policy = { name: "api-key", limit: via.rateLimit, windowSeconds: 60 };
    const pending = consume(c, limiter, { policy, key: `key:${via.keyId}` });
    if (via.rateLimit > general.limit) return pending;
    return pending instanceof Promise ? pending.then(countForUser) : countForUser();
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
  tell(c, "ratelimit-policy", `"${policy.name}";q=${policy.limit};w=${policy.windowSeconds}`);
  tell(c, "ratelimit", state(policy, decision));
  if (!decision.allowed) {
    throw new Problem("rate_limited", {
      detail: `The limit of ${policy.limit} requests per ${policy.windowSeconds} s is used up.`,
      retryAfterSeconds: Math.max(1, decision.resetSeconds),
    });
  }
}

/** Both headers are lists. */
function tell({ env: { answerHeaders } }: AppContext, header: string, item: string): void {
  const told = answerHeaders.get(header);
  answerHeaders.set(header, told === undefined ? item : `${told}, ${item}`);
}

function state(policy: LimitPolicy, decision: LimitDecision): string {
  return `"${policy.name}";r=${decision.remaining};t=${decision.resetSeconds}`;
}
