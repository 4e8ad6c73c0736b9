import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { IntegrationRow } from "../integrations/store.ts";
import { addressOf } from "../tenant.ts";
import { connectionLost, connectionRefreshed } from "./events.ts";
import { GrantIsOver } from "./grant-is-over.ts";
import type { Provider } from "./provider.ts";
import type { ConnectionRow, ConnectionStore } from "./store.ts";
import type { TokenSeal } from "./tokens.ts";

export interface RefreshDeps {
  readonly store: Pick<ConnectionStore, "lock" | "update">;
  readonly provider: Pick<Provider, "refresh">;
  readonly transact: Transact;
  readonly tokens: TokenSeal;
  readonly now: Now;
}

/**
 * New tokens for a connection, if it is still due once nobody else is at it: of all copies one asks, and the others find what it got. A refresh token that is used
 * twice may end them all (RFC 9700 §4.14). Throws `Problem`: `reconnection_required` when the service takes the old ones no more, `provider_unavailable`.
 */
export function createRefresh({ store, provider, transact, tokens, now }: RefreshDeps) {
  const lose = async (unit: Unit, row: ConnectionRow, { name }: IntegrationRow): Promise<ConnectionRow> => {
    const set = { status: "needs_reauthorization" as const, updatedAt: now() };
    await store.update(row.id, set, unit.tx);
    unit.publish(connectionLost, { subject: row.id, ...addressOf(row.tenant), data: { integration: name } });
    return { ...row, ...set };
  };
  const renew = async (unit: Unit, row: ConnectionRow, integration: IntegrationRow): Promise<ConnectionRow> => {
    const { refreshToken } = tokens.open(row);
    if (refreshToken === undefined) return lose(unit, row, integration);
    const got = await provider.refresh(integration, { refreshToken, scopes: row.scopes }).catch((error: unknown) => {
      if (error instanceof GrantIsOver) return undefined;
      throw error;
    });
    if (!got) return lose(unit, row, integration);
    const set = { tokens: tokens.sealed(row.id, got), scopes: got.scopes, expiresAt: got.expiresAt, updatedAt: now() };
    await store.update(row.id, set, unit.tx);
    unit.publish(connectionRefreshed, { subject: row.id, ...addressOf(row.tenant), data: { integration: integration.name } });
    return { ...row, ...set };
  };

  return async (integration: IntegrationRow, id: string, isDue: (row: ConnectionRow) => boolean): Promise<ConnectionRow> => {
    const outcome = await transact(async (unit) => {
      const row = await store.lock(id, unit.tx);
      if (!row) throw new Problem("not_found", { detail: `Nothing is connected to ${integration.name} any more.` });
      return row.status === "active" && isDue(row) ? renew(unit, row, integration) : row;
    });
    if (outcome.status === "active") return outcome;
    throw new Problem("reconnection_required", { detail: `${integration.displayName} takes our tokens no more: connect it again.` });
  };
}
