import type { AccountData } from "../../../platform/account-data.ts";
import type { ConnectionStore } from "./store.ts";

/** Which services somebody has connected; tokens are never given out. */
export function connectionAccountData(store: Pick<ConnectionStore, "list" | "deleteOwnedBy">): AccountData {
  return {
    service: "connections",
    export: async (userId) =>
      (await store.list(userId)).map(({ connection: { id, status, scopes, createdAt, updatedAt }, name }) => ({
        ...{ id, integration: name, status, scopes },
        createdAt: createdAt.toISOString(),
        updatedAt: updatedAt.toISOString(),
      })),
    erase: store.deleteOwnedBy,
  };
}
