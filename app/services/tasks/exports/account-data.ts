import type { AccountData } from "../../../platform/account-data.ts";
import type { ExportStore } from "./store.ts";

/** That there were exports, not what was in them. */
export function exportAccountData(store: Pick<ExportStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "exports",
    export: async (ownerId) =>
      (await store.ownedBy(ownerId)).map(({ id, bytes, createdAt, expiresAt }) => ({
        ...{ id, bytes },
        createdAt: createdAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
      })),
    erase: store.deleteOwnedBy,
  };
}
