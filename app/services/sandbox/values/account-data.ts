import type { AccountData } from "../../../platform/account-data.ts";
import type { ValueStore } from "./store.ts";

export function valuesAccountData(store: Pick<ValueStore, "all" | "deleteAll">): AccountData {
  return {
    service: "sandboxValues",
    export: async (userId) => {
      const rows = await store.all(userId);
      return rows.map(({ key, value, updatedAt }) => ({ key, value: JSON.parse(value), updatedAt: updatedAt.toISOString() }));
    },
    erase: store.deleteAll,
  };
}
