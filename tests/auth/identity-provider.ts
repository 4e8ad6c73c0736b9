import { createServer } from "node:http";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { Provider, type ProviderContext } from "oidc-provider";

/** What a provider knows of somebody, as claims. */
export type Person = Readonly<Record<string, unknown>>;

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** By the name that the browser logs in with, which is the subject. */
  readonly people: Map<string, Person>;
  readonly privateJwk: JWK;
  /** Changes what the token endpoint answers. */
  tamper: ((body: Record<string, unknown>) => Promise<void> | void) | undefined;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
}

/** A real OpenID Connect provider on a loopback port. Whoever comes with the header `x-person` is logged in as them; without it they cancel. */
export async function startIdentityProvider(client: {
  readonly redirectUris: readonly string[];
  readonly authMethod?: string;
  readonly idTokenClaims?: boolean;
}): Promise<IdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const state: IdentityProvider = {
    issuer: `http://127.0.0.1:${address.port}`,
    clientId: "keelson",
    clientSecret: "a client secret that is long enough to be one",
    people: new Map(),
    privateJwk: { ...(await exportJWK(privateKey)), kid: "test", alg: "RS256", use: "sig" },
    tamper: undefined,
    requests: [],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const provider = new Provider(state.issuer, configure(state, client));
  provider.use(async (context, next) => {
    state.requests.push(context.path);
    if (context.path.startsWith("/interaction/")) return interact(provider, context);
    await next();
    if (context.path === "/token" && isRecord(context.body)) await state.tamper?.(context.body);
  });
  server.on("request", provider.callback());
  return state;
}

async function interact(provider: Provider, context: ProviderContext): Promise<void> {
  const accountId = context.get("x-person");
  const result = accountId ? { login: { accountId } } : { error: "access_denied", error_description: "cancelled" };
  context.redirect(await provider.interactionResult(context.req, context.res, result, { mergeWithLastSubmission: false }));
}

function configure(
  state: IdentityProvider,
  client: { readonly redirectUris: readonly string[]; readonly authMethod?: string; readonly idTokenClaims?: boolean },
): object {
  return {
    clients: [
      {
        client_id: state.clientId,
        client_secret: state.clientSecret,
        redirect_uris: client.redirectUris,
        response_types: ["code"],
        grant_types: ["authorization_code"],
        ...(client.authMethod ? { token_endpoint_auth_method: client.authMethod } : {}),
      },
    ],
    jwks: { keys: [state.privateJwk] },
    cookies: { keys: ["a key of the test"] },
    claims: { openid: ["sub", "xms_edov"], email: ["email", "email_verified"], profile: ["name"] },
    // The default, and the standard: claims of scopes are at the userinfo endpoint, not in the id token.
    conformIdTokenClaims: !client.idTokenClaims,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, interaction: { readonly uid: string }) => `/interaction/${interaction.uid}` },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...state.people.get(id) }) }),
    loadExistingGrant: async ({ oidc }: ProviderContext) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
