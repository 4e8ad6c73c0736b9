import { type AccountData, everything } from "../../platform/account-data.ts";
import type { SecretStore } from "./store.ts";

/** What a secret is called and when it was made. Values are read one by one, which is written down. */
export function secretAccountData(store: Pick<SecretStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "secrets",
    export: (userId) =>
      everything({
        page: (options) => store.ownedBy(userId, options),
        toView: ({ id, name, labels, currentVersion, maxVersions, approvalRequired, expiresAt, createdAt, updatedAt }) => ({
          id,
          name,
          labels,
          currentVersion,
          maxVersions,
          approval: { required: approvalRequired },
          ...(expiresAt === null ? {} : { expiresAt: expiresAt.toISOString() }),
          createdAt: createdAt.toISOString(),
          updatedAt: updatedAt.toISOString(),
        }),
      }),
    erase: store.deleteOwnedBy,
  };
}
