import { type AccountData, everything } from "../../platform/account-data.ts";
import { toView } from "./service.ts";
import type { TaskStore } from "./store.ts";

export function taskAccountData(store: Pick<TaskStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "tasks",
    export: (ownerId) =>
      everything({
        page: (options) => store.ownedBy(ownerId, options),
        toView: (row) => ({ ...toView(row), input: row.input, ...(row.checkpoint === null ? {} : { checkpoint: row.checkpoint }) }),
      }),
    erase: store.deleteOwnedBy,
  };
}
