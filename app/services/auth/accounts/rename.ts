import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { userRenamed } from "../events.ts";
import type { AuthStore, UserRow } from "../store.ts";

/** Undefined when there is no such account. */
export type Rename = (userId: string, name: string | null, origin?: RequestOrigin) => Promise<UserRow | undefined>;

/** People are renamed by themselves alone. */
export function createRename({ store, transact }: { readonly store: Pick<AuthStore, "updateUser">; readonly transact: Transact }): Rename {
  return (userId, name, origin) =>
    transact(async (unit) => {
      const user = await store.updateUser(userId, { name }, unit.tx);
      const address = { subject: userId, audience: userId, actorId: userId, ...(origin ? { origin } : {}) };
      if (user) unit.publish(userRenamed, { ...address, data: {} });
      return user;
    });
}
