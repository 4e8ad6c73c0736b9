import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  fetchProtectedResource,
} from "openid-client";
import { z } from "zod";
import { readableName } from "../../../platform/text.ts";
import { answeredUrl, authorizationParameters, type Provider } from "./provider.ts";
import { providerProblem } from "./provider-problem.ts";
import type { GithubSettings } from "./provider-settings.ts";

const userShape = z.object({
  id: z.number().int().positive(),
  name: readableName(200).nullish().catch(undefined),
});
const emailsShape = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));
const address = z.email().max(254);

/**
 * Log-in at GitHub, which speaks OAuth 2.0 without OpenID Connect: who it is comes from its REST API. Of the addresses only the
 * primary one counts, and only when GitHub has verified it.
 */
export function createGithubProvider(settings: GithubSettings, { timeoutSeconds }: { readonly timeoutSeconds: number }): Provider {
  const { name, apiUrl } = settings;
  const configuration = configure(settings, timeoutSeconds);

  const read = async (path: string, accessToken: string): Promise<Response> => {
    const headers = new Headers({ accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" });
    return fetchProtectedResource(configuration, accessToken, new URL(withoutSlash(apiUrl) + path), "GET", null, headers);
  };

  const verifiedEmail = async (accessToken: string): Promise<string | undefined> => {
    const answer = await read("/user/emails", accessToken);
    // The token may lack the scope.
    if (answer.status === 403 || answer.status === 404) return undefined;
    const primary = emailsShape.parse(await bodyOf(answer)).find((it) => it.primary && it.verified);
    return address.safeParse(primary?.email).data;
  };

  return {
    name,

    authorizationUrl: async (attempt) => buildAuthorizationUrl(configuration, authorizationParameters(settings.scopes, attempt)).href,

    profile: async (answer, attempt) => {
      try {
        const tokens = await authorizationCodeGrant(configuration, answeredUrl(attempt, answer), {
          pkceCodeVerifier: attempt.codeVerifier,
          expectedState: attempt.state,
        });
        const user = userShape.parse(await bodyOf(await read("/user", tokens.access_token)));
        const email = await verifiedEmail(tokens.access_token);
        return { subject: String(user.id), email, emailVerified: email !== undefined, name: user.name ?? undefined };
      } catch (error) {
        throw providerProblem(name, error);
      }
    },
  };
}

function configure({ baseUrl, clientId, clientSecret, clientAuth }: GithubSettings, timeoutSeconds: number): Configuration {
  const issuer = `${withoutSlash(baseUrl)}/login/oauth`;
  const server = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/access_token` };
  const authenticate = clientAuth === "basic" ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
  const configuration = new Configuration(server, clientId, undefined, authenticate);
  configuration.timeout = timeoutSeconds;
  if (baseUrl.startsWith("http:")) allowInsecureRequests(configuration);
  return configuration;
}

async function bodyOf(answer: Response): Promise<unknown> {
  if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
  return answer.json();
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
