import type { Unit } from "../../../platform/outbox.ts";
import type { Revocations } from "../tokens/revocations.ts";
import type { SessionRow, SessionStore } from "./store.ts";

export type Authority = ReturnType<typeof createAuthority>;

/** What access tokens are good for ends here: in the store for all copies, and once that has committed in this copy's memory at once. */
export function createAuthority(deps: {
  readonly store: Pick<SessionStore, "revoke" | "change">;
  readonly revocations: Pick<Revocations, "learn">;
}) {
  return {
    /** Undefined when the session had ended already. */
    end: async (unit: Unit, sessionId: string, how: { readonly at: Date; readonly reason: string }): Promise<SessionRow | undefined> => {
      const row = await deps.store.revoke(sessionId, how, unit.tx);
      if (row) unit.afterCommit(() => deps.revocations.learn({ sessionId, minVersion: null }));
      return row;
    },

    /** A new version of the session, perhaps with another active user. */
    change: async (unit: Unit, sessionId: string, activeUserId: string): Promise<SessionRow> => {
      const row = await deps.store.change(sessionId, activeUserId, unit.tx);
      unit.afterCommit(() => deps.revocations.learn({ sessionId, minVersion: row.version }));
      return row;
    },
  };
}
