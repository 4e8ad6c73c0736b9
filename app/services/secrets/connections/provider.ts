import {
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  ResponseBodyError,
  refreshTokenGrant,
  type TokenEndpointResponse,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { OpenClient } from "../integrations/client.ts";
import type { IntegrationRow } from "../integrations/store.ts";
import { GrantIsOver } from "./grant-is-over.ts";

/** What a service outside has given. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresAt: Date | null;
  readonly scopes: readonly string[];
}

export interface Authorization {
  readonly redirectUri: string;
  readonly state: string;
  readonly codeVerifier: string;
}

export type Provider = ReturnType<typeof createProvider>;

/** What is asked of the service outside. Throws `Problem`: `oauth_failed` when it refuses, `provider_unavailable` when it is not reached or does not work. */
export function createProvider({ openClient, now }: { readonly openClient: OpenClient; readonly now: Now }) {
  const withClient = async <T>(integration: IntegrationRow, work: (client: Configuration) => Promise<T>): Promise<T> => {
    try {
      return await work(await openClient(integration));
    } catch (error) {
      throw error instanceof GrantIsOver ? error : problemOf(integration.name, error);
    }
  };
  const toTokens = (answer: TokenEndpointResponse, before?: Pick<Tokens, "refreshToken" | "scopes">): Tokens => ({
    accessToken: answer.access_token,
    // A service that does not rotate says nothing of it (RFC 6749 §6).
    refreshToken: answer.refresh_token ?? before?.refreshToken,
    expiresAt: answer.expires_in === undefined ? null : new Date(now().getTime() + answer.expires_in * 1_000),
    scopes: answer.scope === undefined ? (before?.scopes ?? []) : answer.scope.split(" ").filter(Boolean),
  });

  return {
    /** Where the browser goes: authorization code with PKCE (RFC 9700 §2.1.1). */
    authorizationUrl: (integration: IntegrationRow, { redirectUri, state, codeVerifier }: Authorization): Promise<string> =>
      withClient(integration, async (client) => {
        const challenge = await calculatePKCECodeChallenge(codeVerifier);
        return buildAuthorizationUrl(client, {
          ...integration.extraParameters,
          ...(integration.scopes.length > 0 ? { scope: integration.scopes.join(" ") } : {}),
          redirect_uri: redirectUri,
          state,
          code_challenge: challenge,
          code_challenge_method: "S256",
        }).href;
      }),

    /** `answer` is the query that the browser came back with; its issuer is compared where the service names one (RFC 9207). */
    exchange: (
      integration: IntegrationRow,
      { redirectUri, state, codeVerifier }: Authorization,
      answer: URLSearchParams,
    ): Promise<Tokens> =>
      withClient(integration, async (client) => {
        const url = new URL(redirectUri);
        url.search = answer.toString();
        const tokens = await authorizationCodeGrant(client, url, { pkceCodeVerifier: codeVerifier, expectedState: state });
        return toTokens(tokens, { refreshToken: undefined, scopes: integration.scopes });
      }),

    /** Rejects with `GrantIsOver` when only the user can give another. */
    refresh: (
      integration: IntegrationRow,
      before: { readonly refreshToken: string; readonly scopes: readonly string[] },
    ): Promise<Tokens> =>
      withClient(integration, async (client) => {
        try {
          return toTokens(await refreshTokenGrant(client, before.refreshToken), before);
        } catch (error) {
          if (error instanceof ResponseBodyError && error.error === "invalid_grant") throw new GrantIsOver(integration.name);
          throw error;
        }
      }),

    /** Whether the service has taken it (RFC 7009); false when it has no way to, or is not reached. */
    revoke: async (
      integration: IntegrationRow,
      { accessToken, refreshToken }: Pick<Tokens, "accessToken" | "refreshToken">,
    ): Promise<boolean> => {
      try {
        const client = await openClient(integration);
        if (client.serverMetadata().revocation_endpoint === undefined) return false;
        await tokenRevocation(client, refreshToken ?? accessToken);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** The error itself may hold tokens, and goes no further. */
function problemOf(name: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof AuthorizationResponseError || (error instanceof ResponseBodyError && error.status < 500)) {
    const cause = new Error(`${name}: ${error.error}`);
    return new Problem("oauth_failed", { detail: `${name} answered: ${error.error}.`, cause });
  }
  const said =
    error instanceof WWWAuthenticateChallengeError ? `status ${error.status}` : error instanceof Error ? error.message : "unknown error";
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const cause = new Error(`${name}: ${said}`);
  if (code === "OAUTH_INVALID_RESPONSE") return new Problem("oauth_failed", { detail: `The answer of ${name} does not hold.`, cause });
  return new Problem("provider_unavailable", { detail: `${name} can't be reached or does not work.`, retryAfterSeconds: 5, cause });
}
