import type { AccountData } from "../../../platform/account-data.ts";
import type { ProfileStore } from "./anomalies/store.ts";

/** What is known of how somebody reads secrets. Their entries stay: the trail is about what happened, whoever has left since. */
export function auditAccountData(store: Pick<ProfileStore, "of" | "delete">): AccountData {
  return {
    service: "audit",
    export: async (userId) => {
      const profile = await store.of(userId);
      return profile
        ? { since: new Date(profile.since).toISOString(), accesses: profile.accesses, hours: profile.hours, networks: profile.networks }
        : null;
    },
    erase: store.delete,
  };
}
