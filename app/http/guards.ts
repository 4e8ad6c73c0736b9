import type { IdempotencyRecords } from "../platform/idempotency/store.ts";
import type { Limiter } from "../platform/limiter/port.ts";
import { authenticate, requireAdmin, type VerifyAccessToken } from "./authenticate.ts";
import type { AppContext } from "./env.ts";
import { guard } from "./guard.ts";
import { idempotency } from "./idempotency.ts";
import { limitBody } from "./limit-body.ts";
import { limitRefusals } from "./limit-refusals.ts";
import { byAddress, rateLimit, rateLimitCaller } from "./rate-limit.ts";
import { requireJson } from "./require-json.ts";
import { requireScope } from "./require-scope.ts";
import type { Guards } from "./route.ts";

export interface GuardDeps {
  readonly verify: VerifyAccessToken;
  readonly limiter: Limiter;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly sameOrigin: (c: AppContext) => void;
  readonly bodyBytesMax: number;
  readonly requestsPerMinute: number;
  readonly credentialTriesPerMinute: number;
  /** How often one address may show what is not accepted. */
  readonly refusalsPerMinute: number;
}

/** Anybody may send these, and nothing in them is long. */
const credentialBytesMax = 65_536;

/** What stands before a route, in order: who is it, is it too much, may a key do that, is it JSON, is it too large, was it answered before. */
export function createGuards(deps: GuardDeps): Guards {
  const general = { name: "default", limit: deps.requestsPerMinute, windowSeconds: 60 };
  const credentials = { name: "credentials", limit: deps.credentialTriesPerMinute, windowSeconds: 60, durable: true };
  const once = idempotency(deps.idempotencyRecords);
  const size = limitBody(deps.bodyBytesMax);
  const smallSize = limitBody(Math.min(credentialBytesMax, deps.bodyBytesMax));
  const refusals = { name: "refused", limit: deps.refusalsPerMinute, windowSeconds: 60 };
  const user = limitRefusals(
    authenticate({ verify: deps.verify, sameOrigin: deps.sameOrigin }),
    rateLimit(deps.limiter, refusals, byAddress),
  );
  const tries = rateLimit(deps.limiter, credentials, byAddress);
  const userLimit = rateLimitCaller(deps.limiter, general);
  return {
    credentials: [guard("anybody", once, tries, requireJson, smallSize)],
    signedInCredentials: [guard("users", once, user, userLimit, requireScope, tries, requireJson, smallSize)],
    open: [guard("anybody", once, rateLimit(deps.limiter, general, byAddress), requireJson, size)],
    signedIn: [guard("users", once, user, userLimit, requireScope, requireJson, size)],
    admin: [guard("admins", once, user, userLimit, requireScope, requireAdmin, requireJson, size)],
  };
}
