import { allowInsecureRequests, ClientSecretBasic, ClientSecretPost, Configuration, customFetch, discovery } from "openid-client";
import type { createGuardedFetch } from "../../../platform/outgoing/guarded-fetch.ts";
import type { Seal } from "../../../platform/seal.ts";
import { bindingOfClientSecret } from "./names.ts";
import type { IntegrationRow } from "./store.ts";

export interface ClientDeps {
  readonly seal: Pick<Seal, "open">;
  /** Addresses are an administrator's words: it goes only where it may. */
  readonly fetch: ReturnType<typeof createGuardedFetch>;
}

export type OpenClient = (integration: IntegrationRow) => Promise<Configuration>;

/** A client of the service as the integration says it now. Rejects when its issuer is not found. */
export function createOpenClient({ seal, fetch }: ClientDeps): OpenClient {
  return async (integration) => {
    const { id, clientId, clientAuth, issuer } = integration;
    const secret = Buffer.from(seal.open(integration.clientSecret, bindingOfClientSecret(id))).toString();
    const authenticate = clientAuth === "post" ? ClientSecretPost(secret) : ClientSecretBasic(secret);
    const isInsecure = [issuer, integration.authorizationUrl, integration.tokenUrl].some((url) => url?.startsWith("http:"));
    const insecure = isInsecure ? [allowInsecureRequests] : [];
    if (issuer !== null) return discovery(new URL(issuer), clientId, undefined, authenticate, { execute: insecure, [customFetch]: fetch });
    const configuration = new Configuration(metadataOf(integration), clientId, undefined, authenticate);
    configuration[customFetch] = fetch;
    for (const allow of insecure) allow(configuration);
    return configuration;
  };
}

/** A service that is not found by its issuer has none that could be compared. */
function metadataOf({ authorizationUrl, tokenUrl, revocationUrl }: IntegrationRow) {
  return {
    issuer: new URL(authorizationUrl ?? "").origin,
    authorization_endpoint: authorizationUrl ?? "",
    token_endpoint: tokenUrl ?? "",
    ...(revocationUrl === null ? {} : { revocation_endpoint: revocationUrl }),
  };
}
