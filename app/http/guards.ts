import type { IdempotencyRecords } from "../platform/idempotency/store.ts";
import type { Limiter } from "../platform/limiter/port.ts";
import { authenticate, requireAdmin, type VerifyAccessToken } from "./authenticate.ts";
import { guard } from "./guard.ts";
import { idempotency } from "./idempotency.ts";
import { limitBody } from "./limit-body.ts";
import { byAddress, rateLimit, rateLimitCaller } from "./rate-limit.ts";
import { requireJson } from "./require-json.ts";
import { requireScope } from "./require-scope.ts";
import type { Guards } from "./route.ts";

export interface GuardDeps {
  readonly verify: VerifyAccessToken;
  readonly limiter: Limiter;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly bodyBytesMax: number;
  readonly requestsPerMinute: number;
  readonly credentialTriesPerMinute: number;
}

/** What stands before a route, in order: who is it, is it too much, may a key do that, is it JSON, is it too large, was it answered before. */
export function createGuards(deps: GuardDeps): Guards {
  const general = { name: "default", limit: deps.requestsPerMinute, windowSeconds: 60 };
  const credentials = { name: "credentials", limit: deps.credentialTriesPerMinute, windowSeconds: 60, durable: true };
  const once = idempotency(deps.idempotencyRecords);
  const size = limitBody(deps.bodyBytesMax);
  const user = authenticate(deps.verify);
  const tries = rateLimit(deps.limiter, credentials, byAddress);
  const userLimit = rateLimitCaller(deps.limiter, general);
  return {
    credentials: [guard(once, tries, requireJson, size)],
    signedInCredentials: [guard(once, user, userLimit, requireScope, tries, requireJson, size)],
    open: [guard(once, rateLimit(deps.limiter, general, byAddress), requireJson, size)],
    signedIn: [guard(once, user, userLimit, requireScope, requireJson, size)],
    admin: [guard(once, user, userLimit, requireScope, requireAdmin, requireJson, size)],
  };
}
