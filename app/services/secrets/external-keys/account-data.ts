import type { AccountData } from "../../../platform/account-data.ts";
import type { ExternalKeyStore } from "./store.ts";

/** Which services somebody has brought keys of; the keys themselves are never given out. */
export function externalKeyAccountData(store: Pick<ExternalKeyStore, "list" | "deleteOwnedBy">): AccountData {
  return {
    service: "external-keys",
    export: async (userId) =>
      (await store.list(userId, undefined)).map(({ id, service, name, hint, status, createdAt, updatedAt }) => ({
        ...{ id, service, name, hint, status },
        createdAt: createdAt.toISOString(),
        updatedAt: updatedAt.toISOString(),
      })),
    erase: store.deleteOwnedBy,
  };
}
