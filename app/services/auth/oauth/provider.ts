import { createHash } from "node:crypto";

/** One attempt to log in: what the provider is given, and what its answer is compared with. */
export interface Attempt {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** PKCE (RFC 7636). */
  readonly codeVerifier: string;
}

/** Whom the provider says it is. */
export interface Profile {
  /** Never changes and belongs to nobody else at this provider. */
  readonly subject: string;
  readonly email: string | undefined;
  /** The provider vouches that the address is theirs. */
  readonly emailVerified: boolean;
  readonly name: string | undefined;
}

export interface Provider {
  readonly name: string;
  /** Where the browser goes to log in. Throws `Problem` (`provider_unavailable`). */
  authorizationUrl(attempt: Attempt): Promise<string>;
  /** Redeems what the browser came back with. Throws `Problem`: `oauth_failed` when the answer does not hold, `provider_unavailable`. */
  profile(answer: URLSearchParams, attempt: Attempt): Promise<Profile>;
}

/** The authorization request (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3). */
export function authorizationParameters(scopes: readonly string[], attempt: Attempt): Record<string, string> {
  return {
    redirect_uri: attempt.redirectUri,
    scope: scopes.join(" "),
    state: attempt.state,
    code_challenge: createHash("sha256").update(attempt.codeVerifier).digest("base64url"),
    code_challenge_method: "S256",
  };
}

/** The address that the browser was sent back to, with the answer in its query. */
export function answeredUrl({ redirectUri }: Attempt, answer: URLSearchParams): URL {
  const url = new URL(redirectUri);
  url.search = answer.toString();
  return url;
}
