import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import type { EventInit } from "../../../platform/events.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { Revocations } from "../tokens/revocations.ts";
import { apiKeyChanged, apiKeyRevoked, type KeyRevocationReason } from "./events.ts";
import type { ApiKeyRow, ApiKeyStore, KeyHolder } from "./store.ts";

/** Who acts, from which request. */
export interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

export interface KeyAuthorityDeps {
  readonly store: Pick<ApiKeyStore, "change" | "revoke" | "liveIdsOf" | "liveIdsMadeBy">;
  readonly revocations: Pick<Revocations, "learn">;
  readonly now: Now;
}

export type KeyAuthority = ReturnType<typeof createKeyAuthority>;

/** What a key is good for changes and ends here: in the store for all copies, and once that has committed in this copy's memory at once. */
export function createKeyAuthority({ store, revocations, now }: KeyAuthorityDeps) {
  /** Undefined when it is revoked. The caller announces it. */
  const change = async (unit: Unit, id: string, set: Parameters<ApiKeyStore["change"]>[1]): Promise<ApiKeyRow | undefined> => {
    const row = await store.change(id, set, unit.tx);
    if (row) unit.afterCommit(() => revocations.learn({ sessionId: id, minVersion: row.version }));
    return row;
  };

  const end = async (unit: Unit, id: string, how: { readonly reason: KeyRevocationReason } & Partial<Call>): Promise<void> => {
    const row = await store.revoke(id, now(), unit.tx);
    if (!row) return;
    unit.afterCommit(() => revocations.learn({ sessionId: id, minVersion: null }));
    unit.publish(apiKeyRevoked, { ...addressOf(row, how), data: { reason: how.reason, teamId: row.teamId } });
  };

  return {
    change,
    end,

    /** Part of the caller's unit of work. */
    endAll: async (unit: Unit, holder: KeyHolder, how: { readonly reason: KeyRevocationReason } & Partial<Call>): Promise<void> => {
      for (const id of await store.liveIdsOf(holder, unit.tx)) await end(unit, id, how);
    },

    /** All that the user has made, the teams' too. Part of the caller's unit of work. Returns how many. */
    endAllMadeBy: async (unit: Unit, ownerId: string, how: { readonly reason: KeyRevocationReason } & Partial<Call>): Promise<number> => {
      const ids = await store.liveIdsMadeBy(ownerId, unit.tx);
      for (const id of ids) await end(unit, id, how);
      return ids.length;
    },

    /** The user's role has changed or the account is disabled: every copy reads what that makes of the keys, within a second. */
    ownerChanged: async (unit: Unit, ownerId: string, by: Partial<Call> = {}): Promise<void> => {
      for (const id of await store.liveIdsMadeBy(ownerId, unit.tx)) {
        const row = await change(unit, id, {});
        if (row) unit.publish(apiKeyChanged, { ...addressOf(row, by), data: { changed: ["owner"] } });
      }
    },
  };
}

/** The event is about the key, and for its owner to see. */
export function addressOf(row: Pick<ApiKeyRow, "id" | "ownerId">, by: Partial<Call>): Omit<EventInit<never>, "data"> {
  return {
    subject: row.id,
    audience: row.ownerId,
    ...(by.actor ? { actorId: by.actor.userId } : {}),
    ...(by.origin ? { origin: by.origin } : {}),
  };
}
