import type { AccountData } from "../../platform/account-data.ts";
import { toSummary } from "./service.ts";
import type { TaskStore } from "./store.ts";

/** As many tasks as one account's export holds, the newest first. */
const exportedMax = 10_000;

export function taskAccountData(store: Pick<TaskStore, "list" | "deleteOwnedBy">): AccountData {
  return {
    service: "tasks",
    export: async (ownerId) => (await store.list({ ownerId, limit: exportedMax })).map(toSummary),
    erase: store.deleteOwnedBy,
  };
}
