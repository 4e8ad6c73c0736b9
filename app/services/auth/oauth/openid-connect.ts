import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
} from "openid-client";
import { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { readableName } from "../../../platform/text.ts";
import { answeredUrl, authorizationParameters, type Profile, type Provider } from "./provider.ts";
import { providerProblem, providerUnavailable } from "./provider-problem.ts";
import type { OpenidSettings } from "./provider-settings.ts";

export interface OpenidDeps {
  readonly timeoutSeconds: number;
  readonly now: Now;
}

/** Providers move their endpoints rarely, and keys are looked for when an unknown one signs. */
const metadataMsMax = 3_600_000;

const claimsShape = z.object({
  email: z.email().max(254).optional().catch(undefined),
  name: readableName(200).optional().catch(undefined),
  email_verified: z.unknown().optional(),
  xms_edov: z.unknown().optional(),
});

/** Log-in at an OpenID Connect provider, found by its issuer (OpenID Connect Discovery 1.0) when it is first asked for, and again after a failure. */
export function createOpenidProvider(settings: OpenidSettings, { timeoutSeconds, now }: OpenidDeps): Provider {
  const { name, vouchingClaim } = settings;
  let known: { readonly configuration: Promise<Configuration>; readonly until: number } | undefined;

  const configured = async (): Promise<Configuration> => {
    if (known === undefined || known.until < now().getTime())
      known = { configuration: discover(settings, timeoutSeconds), until: now().getTime() + metadataMsMax };
    const asked = known;
    try {
      return await asked.configuration;
    } catch (error) {
      if (known === asked) known = undefined;
      throw providerUnavailable(name, asError(providerProblem(name, error).cause));
    }
  };

  /** The address and who vouches for it come from one document: never the one from here and the other from there. */
  const toProfile = (claims: { readonly sub: string; readonly iss?: string }): Profile => {
    const { email, name: personName, ...vouching } = claimsShape.parse(claims);
    return { subject: claims.sub, email, emailVerified: isTrue(vouching[vouchingClaim]), name: personName };
  };

  return {
    name,

    authorizationUrl: async (attempt) => {
      const configuration = await configured();
      const parameters = { ...authorizationParameters(settings.scopes, attempt), nonce: attempt.nonce };
      return buildAuthorizationUrl(configuration, parameters).href;
    },

    profile: async (answer, attempt) => {
      const configuration = await configured();
      try {
        const tokens = await authorizationCodeGrant(configuration, answeredUrl(attempt, answer), {
          pkceCodeVerifier: attempt.codeVerifier,
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          idTokenExpected: true,
        });
        const claims = tokens.claims();
        if (!claims) throw new Error("there is no id token");
        const asksMore = claims.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined;
        const profile = toProfile(asksMore ? await fetchUserInfo(configuration, tokens.access_token, claims.sub) : claims);
        return { ...profile, subject: subjectOf(claims, configuration) };
      } catch (error) {
        throw providerProblem(name, error);
      }
    },
  };
}

function discover({ issuer, clientId, clientSecret, clientAuth }: OpenidSettings, timeoutSeconds: number): Promise<Configuration> {
  const url = new URL(issuer);
  const execute = [enableNonRepudiationChecks, ...(url.protocol === "http:" ? [allowInsecureRequests] : [])];
  return discovery(url, clientId, undefined, authenticateAs(clientSecret, clientAuth), { timeout: timeoutSeconds, execute });
}

function authenticateAs(secret: string, how: OpenidSettings["clientAuth"]): ClientAuth {
  const basic = ClientSecretBasic(secret);
  const post = ClientSecretPost(secret);
  return (...call) => {
    const [server] = call;
    // Basic is what a provider takes that does not say (OpenID Connect Discovery 1.0 §3).
    const supported = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    const chosen = how ?? (supported.includes("client_secret_basic") ? "basic" : "post");
    (chosen === "basic" ? basic : post)(...call);
  };
}

/** Unique within the issuer only; several of them share one name where tenants of Microsoft do (OpenID Connect Core §5.7). */
function subjectOf(claims: { readonly iss: string; readonly sub: string }, configuration: Configuration): string {
  return claims.iss === configuration.serverMetadata().issuer ? claims.sub : `${claims.iss}#${claims.sub}`;
}

/** Some providers send these as text or number. */
function isTrue(claim: unknown): boolean {
  return claim === true || claim === "true" || claim === 1 || claim === "1";
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error("discovery failed");
}
