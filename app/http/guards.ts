import type { IdempotencyRecords } from "../platform/idempotency/store.ts";
import type { Limiter } from "../platform/limiter/port.ts";
import { authenticate, requireAdmin, type VerifyAccessToken } from "./authenticate.ts";
import { checks } from "./checks.ts";
import { idempotency } from "./idempotency.ts";
import { byAddress, byUser, rateLimit } from "./rate-limit.ts";
import { requireJson } from "./require-json.ts";
import type { Guards } from "./route.ts";

export interface GuardDeps {
  readonly verify: VerifyAccessToken;
  readonly limiter: Limiter;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly requestsPerMinute: number;
  readonly credentialTriesPerMinute: number;
}

/** What stands before a route, in order: who is it, is it too much, is it JSON, was it answered before. */
export function createGuards(deps: GuardDeps): Guards {
  const general = { name: "default", limit: deps.requestsPerMinute, windowSeconds: 60 };
  const credentials = { name: "credentials", limit: deps.credentialTriesPerMinute, windowSeconds: 60, durable: true };
  const once = idempotency(deps.idempotencyRecords);
  const user = authenticate(deps.verify);
  const userLimit = rateLimit(deps.limiter, general, byUser);
  return {
    credentials: [checks(rateLimit(deps.limiter, credentials, byAddress), requireJson), once],
    open: [checks(rateLimit(deps.limiter, general, byAddress), requireJson), once],
    signedIn: [checks(user, userLimit, requireJson), once],
    admin: [checks(user, userLimit, requireAdmin, requireJson), once],
  };
}
