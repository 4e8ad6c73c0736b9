import { type AccountData, everything } from "../../../platform/account-data.ts";
import type { SubscriptionStore } from "./store.ts";
import { toSubscriptionView } from "./view.ts";

/** Events themselves are gone after a day; what lasts are the addresses they are sent to. */
export function subscriptionAccountData(store: Pick<SubscriptionStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "subscriptions",
    export: (ownerId) => everything({ page: (options) => store.ownedBy(ownerId, options), toView: toSubscriptionView }),
    erase: store.deleteOwnedBy,
  };
}
