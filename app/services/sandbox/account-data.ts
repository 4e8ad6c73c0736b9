import type { AccountData } from "../../platform/account-data.ts";
import { toSummary } from "./service.ts";
import type { ExecutionStore } from "./store.ts";

/** As many executions as one account's export holds, the newest first. */
const exportedMax = 10_000;

export function sandboxAccountData(store: Pick<ExecutionStore, "list" | "deleteOwnedBy">): AccountData {
  return {
    service: "sandbox",
    export: async (ownerId) => (await store.list({ ownerId, limit: exportedMax })).map(toSummary),
    erase: store.deleteOwnedBy,
  };
}
