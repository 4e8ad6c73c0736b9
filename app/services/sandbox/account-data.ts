import { type AccountData, everything } from "../../platform/account-data.ts";
import { toView } from "./rows.ts";
import type { ExecutionStore } from "./store.ts";

export function sandboxAccountData(store: Pick<ExecutionStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "sandbox",
    export: (ownerId) =>
      everything({
        page: (options) => store.ownedBy(ownerId, options),
        toView: (row) => ({ ...toView(row), code: row.code, input: row.input }),
      }),
    erase: store.deleteOwnedBy,
  };
}
