import type { AccountData } from "../../../platform/account-data.ts";
import type { ScheduleStore } from "./store.ts";
import { toScheduleView } from "./view.ts";

/** More than one account may have. */
const exportedMax = 10_000;

export function scheduleAccountData(store: Pick<ScheduleStore, "ownedBy" | "deleteOwnedBy">): AccountData {
  return {
    service: "schedules",
    export: async (ownerId) => (await store.ownedBy(ownerId, exportedMax)).map(toScheduleView),
    erase: store.deleteOwnedBy,
  };
}
