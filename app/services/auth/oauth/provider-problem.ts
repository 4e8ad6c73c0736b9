import { AuthorizationResponseError, ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from "openid-client";
import { Problem } from "../../../platform/errors.ts";

const retryAfterSeconds = 5;

/** Answers that were there and do not hold: of the wrong issuer, for another client, expired, forged. */
const notHolding = new Set([
  "OAUTH_INVALID_RESPONSE",
  "OAUTH_JWT_TIMESTAMP_CHECK_FAILED",
  "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
  "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
  "OAUTH_KEY_SELECTION_FAILED",
  "OAUTH_UNSUPPORTED_OPERATION",
]);

/** Errors by which a provider speaks of this one log-in (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6). */
const aboutThisLogIn = new Set([
  "access_denied",
  "invalid_grant",
  "invalid_request",
  "login_required",
  "consent_required",
  "interaction_required",
  "account_selection_required",
]);

/**
 * What to tell of a failed call to a provider: `oauth_failed` when it refused this log-in or its answer does not hold, else
 * `provider_unavailable`, which is also what a provider that refuses our credentials is to a user. The error itself may hold
 * tokens and goes no further; the log gets its description.
 */
export function providerProblem(provider: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  const cause = new Error(`${provider}: ${describe(error)}`);
  const said = error instanceof AuthorizationResponseError || error instanceof ResponseBodyError ? error.error : undefined;
  if (said !== undefined && aboutThisLogIn.has(said))
    return new Problem("oauth_failed", { detail: `${provider} answered: ${said}.`, cause });
  if (error instanceof ClientError && notHolding.has(error.code ?? ""))
    return new Problem("oauth_failed", { detail: `The answer of ${provider} does not hold.`, cause });
  return providerUnavailable(provider, cause);
}

export function providerUnavailable(provider: string, cause: Error): Problem {
  return new Problem("provider_unavailable", { detail: `${provider} can't be reached or does not work.`, retryAfterSeconds, cause });
}

function describe(error: unknown): string {
  if (error instanceof AuthorizationResponseError) return `authorization error ${error.error}`;
  if (error instanceof ResponseBodyError) return `status ${error.status}, error ${error.error}`;
  if (error instanceof WWWAuthenticateChallengeError) return `status ${error.status}, our credentials were not accepted`;
  if (!(error instanceof Error)) return "unknown error";
  const code = "code" in error && typeof error.code === "string" ? `${error.code}: ` : "";
  const inner = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${code}${error.message}${inner}`;
}
