import type { AccountData } from "../../platform/account-data.ts";
import type { SessionStore } from "./sessions/store.ts";
import type { AuthStore } from "./store.ts";
import { toSessionView, toUserView } from "./views.ts";

/** The account and its sessions. Everything else of this service goes with the account's row. */
export function authAccountData({ store, sessions }: { readonly store: AuthStore; readonly sessions: SessionStore }): AccountData {
  return {
    service: "auth",
    export: async (userId) => {
      const user = await store.findUser(userId);
      return { user: user && toUserView(user), sessions: (await sessions.liveOf(userId)).map(toSessionView) };
    },
    erase: (userId, on) => store.deleteUser(userId, on),
  };
}
