import { createHash } from "node:crypto";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId, randomToken } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { RecordAccess } from "../audit/record.ts";
import { redirectUriOf } from "../integrations/names.ts";
import type { IntegrationRow, IntegrationStore } from "../integrations/store.ts";
import { addressOf, type SecretCall, teamOf, type Whose } from "../tenant.ts";
import type { TenantWork } from "../tenant-work.ts";
import { connectionCreated, connectionDeleted, connectionUsed } from "./events.ts";
import type { Provider } from "./provider.ts";
import { createRefresh } from "./refresh.ts";
import type { ConnectionView } from "./schema.ts";
import type { ConnectionRow, ConnectionStore } from "./store.ts";
import { createTokenSeal } from "./tokens.ts";

export type ConnectionService = ReturnType<typeof createConnectionService>;

export interface ConnectionDeps {
  readonly store: ConnectionStore;
  readonly integrations: Pick<IntegrationStore, "find" | "named" | "list">;
  readonly provider: Provider;
  readonly seal: Seal;
  readonly transact: Transact;
  readonly tenants: TenantWork;
  readonly recordAccess: RecordAccess;
  readonly publicUrl: string;
  readonly now: Now;
}

/** What the browser keeps until it comes back. */
export interface ConnectCookie {
  readonly name: string;
  readonly value: string;
  readonly secure: boolean;
  readonly maxAgeSeconds: number;
}

const flowSeconds = 600;
/** A token with less than that left is refreshed first. */
const marginMs = 60_000;

/** Accounts at services outside, connected by their owners. Tokens are used by the program and never given out. */
export function createConnectionService(deps: ConnectionDeps) {
  const { store, integrations, provider, seal, transact, tenants, recordAccess, publicUrl, now } = deps;
  const secure = publicUrl.startsWith("https:");
  const cookieName = (state: string) => `${secure ? "__Host-" : ""}keelson-connect-${digest(state).slice(0, 12)}`;

  const usable = (row: IntegrationRow | undefined, name: string): IntegrationRow => {
    if (!row) throw new Problem("not_found", { detail: `There is no integration ${name}.` });
    if (!row.enabled) throw new Problem("integration_disabled", { detail: `${row.displayName} is switched off.` });
    return row;
  };
  const authorizationOf = ({ name }: IntegrationRow, state: string, secret: string) => ({
    redirectUri: redirectUriOf(publicUrl, name),
    state,
    codeVerifier: createHash("sha256").update(`code_verifier:${secret}`).digest("base64url"),
  });
  const { open, sealed } = createTokenSeal(seal);
  const refreshed = createRefresh({ store, provider, transact, tokens: { open, sealed }, now });

  const found = async (
    call: Pick<SecretCall, "actor">,
    { integration: name, ...whose }: Named,
    action: "secrets:read" | "secrets:write",
  ) => {
    const tenant = await tenants.tenantFor(call, whose, action);
    const integration = await integrations.named(name);
    const connection = integration && (await store.find(tenant, integration.id));
    if (!integration || !connection) throw new Problem("not_found", { detail: `Nothing is connected to ${name}.` });
    return { integration, connection };
  };

  const isExpiring = ({ expiresAt }: ConnectionRow) => expiresAt !== null && expiresAt.getTime() - now().getTime() < marginMs;

  return {
    list: async (call: Pick<SecretCall, "actor">, whose: Whose) => {
      const tenant = await tenants.tenantFor(call, whose, "secrets:read");
      const [rows, all] = await Promise.all([store.list(tenant), integrations.list()]);
      const available = all.filter(({ enabled }) => enabled);
      return {
        data: rows.map(({ connection, name }) => toView(connection, name)),
        available: available.map(({ name, displayName, scopes }) => ({ name, displayName, scopes: [...scopes] })),
      };
    },

    /** The browser that asks goes on to `url`, and must come back itself: somebody else could be made to connect their account to a stranger's. */
    authorize: async (call: SecretCall, { integration: name, ...whose }: Named): Promise<{ url: string; cookie: ConnectCookie }> => {
      const integration = usable(await integrations.named(name), name);
      const [state, secret] = [randomToken(32), randomToken(32)];
      const url = await provider.authorizationUrl(integration, authorizationOf(integration, state, secret));
      await tenants.writing(call, whose, (unit, tenant) =>
        store.beginFlow(
          {
            stateHash: digest(state),
            browserHash: digest(secret),
            integrationId: integration.id,
            tenant,
            userId: call.actor.userId,
            expiresAt: new Date(now().getTime() + flowSeconds * 1_000),
          },
          unit.tx,
        ),
      );
      return { url, cookie: { name: cookieName(state), value: secret, secure, maxAgeSeconds: flowSeconds } };
    },

    /** The flow is used up, whatever becomes of it. Throws `Problem`: `invalid_oauth_flow`, `integration_disabled`, `oauth_failed`, `provider_unavailable`. */
    finish: async (name: string, answer: URLSearchParams, cookie: (name: string) => string | undefined): Promise<ConnectionView> => {
      const state = answer.get("state") ?? "";
      const secret = cookie(cookieName(state));
      const flow =
        secret === undefined
          ? undefined
          : await transact((unit) => store.takeFlow({ stateHash: digest(state), browserHash: digest(secret), at: now() }, unit.tx));
      if (!flow || secret === undefined)
        throw new Problem("invalid_oauth_flow", { detail: "It was used, is too old, or was not begun in this browser." });
      const integration = usable(await integrations.find(flow.integrationId), name);
      if (integration.name !== name) throw new Problem("invalid_oauth_flow", { detail: "It was begun with another service." });
      const tokens = await provider.exchange(integration, authorizationOf(integration, state, secret), answer);
      return transact(async (unit) => {
        const still = usable(await integrations.find(integration.id, unit.tx), name);
        const id = newId("connection");
        const at = now();
        const row = {
          ...{
            id,
            tenant: flow.tenant,
            integrationId: still.id,
            status: "active" as const,
            scopes: tokens.scopes,
            expiresAt: tokens.expiresAt,
          },
          ...{ tokens: sealed(id, tokens), createdBy: flow.userId, createdAt: at, updatedAt: at },
        };
        await store.put(row, unit.tx);
        const data = { integration: name, scopes: [...tokens.scopes] };
        unit.publish(connectionCreated, { subject: id, ...addressOf(flow.tenant), actorId: flow.userId, data });
        return toView(row, name);
      });
    },

    /** Now, whether it is due or not. */
    refresh: async (call: SecretCall, named: Named): Promise<ConnectionView> => {
      const { integration, connection } = await found(call, named, "secrets:write");
      usable(integration, named.integration);
      return toView(await refreshed(integration, connection.id, ({ updatedAt }) => +updatedAt === +connection.updatedAt), integration.name);
    },

    /** Here in any case; whether the service took the revocation is the answer. */
    delete: async (call: SecretCall, named: Named): Promise<{ readonly revoked: boolean }> => {
      const { integration, connection } = await found(call, named, "secrets:write");
      const { accessToken, refreshToken } = open(connection);
      const revoked = await provider.revoke(integration, { accessToken, refreshToken });
      await transact(async (unit) => {
        await store.delete(connection.id, unit.tx);
        const about = { subject: connection.id, ...addressOf(connection.tenant), actorId: call.actor.userId, origin: call.origin };
        unit.publish(connectionDeleted, { ...about, data: { integration: integration.name, revoked } });
      });
      return { revoked };
    },

    /**
     * For the parts of the program that speak to the service: an access token of the owner, or of the team if there is one, refreshed when it has less than a minute
     * left. Its use is in the trail before it is given. Throws `Problem`: `not_found`, `integration_disabled`, `reconnection_required`, `provider_unavailable`.
     */
    accessTokenFor: async (
      { ownerId, teamId }: { readonly ownerId: string; readonly teamId?: string | null | undefined },
      name: string,
      usedBy: { readonly service: string; readonly subject: string },
    ): Promise<{ readonly token: string; readonly expiresAt: Date | null; readonly scopes: readonly string[] }> => {
      const integration = usable(await integrations.named(name), name);
      const row = await store.find(teamId ?? ownerId, integration.id);
      if (!row) throw new Problem("not_found", { detail: `Nothing is connected to ${name}.` });
      const fresh = await freshOf(integration, row);
      const { accessToken: token } = open(fresh);
      await recordAccess({ contract: connectionUsed, subject: row.id, ...addressOf(row.tenant), data: { integration: name, usedBy } });
      return { token, expiresAt: fresh.expiresAt, scopes: fresh.scopes };
    },
  };

  /** While the service can't be asked, a token that is still good is used on. */
  async function freshOf(integration: IntegrationRow, row: ConnectionRow): Promise<ConnectionRow> {
    if (row.status === "active" && !isExpiring(row)) return row;
    return refreshed(integration, row.id, isExpiring).catch((error: unknown) => {
      const isDown = error instanceof Problem && error.code === "provider_unavailable";
      if (isDown && row.expiresAt !== null && row.expiresAt > now()) return row;
      throw error;
    });
  }
}

type Named = Whose & { readonly integration: string };

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function toView({ id, tenant, status, scopes, expiresAt, createdAt, updatedAt }: ConnectionRow, integration: string): ConnectionView {
  return {
    ...{ id, integration, status },
    scopes: [...scopes],
    ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
    ...teamOf(tenant),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
