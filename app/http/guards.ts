import type { IdempotencyRecords } from "../platform/idempotency/store.ts";
import type { Limiter } from "../platform/limiter/port.ts";
import { authenticate, requireAdmin, type VerifyAccessToken } from "./authenticate.ts";
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
  const body = [requireJson, idempotency(deps.idempotencyRecords)];
  const signedIn = [authenticate(deps.verify), rateLimit(deps.limiter, general, byUser)];
  return {
    credentials: [rateLimit(deps.limiter, credentials, byAddress), ...body],
    open: [rateLimit(deps.limiter, general, byAddress), ...body],
    signedIn: [...signedIn, ...body],
    admin: [...signedIn, requireAdmin, ...body],
  };
}
