import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { KeyAuthority } from "../api-keys/authority.ts";
import { userUpdated } from "../events.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import type { SessionService } from "../sessions/service.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { TeamStore } from "../teams/store.ts";
import { toUserView } from "../views.ts";
import type { CloseAccount } from "./close.ts";
import type { updateUserRequest, userQuery } from "./schema.ts";

export type UserService = ReturnType<typeof createUserService>;

export interface UserDeps {
  readonly store: AuthStore;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly sessions: Pick<SessionService, "leaveAll" | "roleChanged">;
  readonly keys: Pick<KeyAuthority, "ownerChanged">;
  readonly transact: Transact;
  readonly teams: Pick<TeamStore, "ownsAny">;
  readonly closeAccount: CloseAccount;
  readonly now: Now;
}

type Change = z.infer<typeof updateUserRequest>;

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/** Accounts as administrators see them, and their end. */
export function createUserService({ teams, store, assertRecentLogIn, sessions, keys, transact, closeAccount, now }: UserDeps) {
  const existing = async (id: string): Promise<UserRow> => {
    const row = await store.findUser(id);
    if (!row) throw new Problem("not_found", { detail: `There is no user ${id}.` });
    return row;
  };

  const disabledAtAfter = (before: UserRow, { disabled }: Change): Date | null => {
    if (disabled === undefined) return before.disabledAt;
    return disabled ? (before.disabledAt ?? now()) : null;
  };

  return {
    get: async (id: string) => toManagedUser(await existing(id)),

    list: async ({ limit, cursor }: z.infer<typeof userQuery>) => {
      const rows = await store.listUsers({ limit: limit + 1, ...(cursor ? { after: cursor } : {}) });
      const page = rows.slice(0, limit);
      return { data: page.map(toManagedUser), nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** A disabled user's sessions end, a changed role leaves only its new tokens: on every copy within a second. */
    update: (call: Call, id: string, change: Change) =>
      transact(async (unit) => {
        const admins = await store.lockActiveAdmins(unit.tx);
        const before = await store.lockUser(id, unit.tx);
        if (!before) throw new Problem("not_found", { detail: `There is no user ${id}.` });
        const { role = before.role, tier = before.tier } = change;
        const after = { role, tier, disabledAt: disabledAtAfter(before, change) };
        if (after.role !== "admin" || after.disabledAt) assertOthers(admins, id);
        const row = (await store.updateUser(id, after, unit.tx)) ?? before;
        if (row.disabledAt) await sessions.leaveAll(unit, { userId: id, reason: "user_disabled", ...call });
        else if (row.role !== before.role) await sessions.roleChanged(unit, id, call);
        await keys.ownerChanged(unit, id, call);
        unit.publish(userUpdated, { subject: id, audience: id, actorId: call.actor.userId, origin: call.origin, data: change });
        return toManagedUser(row);
      }),

    /** Logs the user out everywhere. */
    endSessions: (call: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        if (!(await store.lockUser(id, unit.tx))) throw new Problem("not_found", { detail: `There is no user ${id}.` });
        await sessions.leaveAll(unit, { userId: id, reason: "admin_logout", ...call });
      }),

    /** The account is closed at once; a job erases what belongs to it. */
    deleteMe: async (call: Call): Promise<{ readonly taskId: string }> => {
      const id = call.actor.userId;
      await assertRecentLogIn(call.actor);
      return transact(async (unit) => {
        assertOthers(await store.lockActiveAdmins(unit.tx), id);
        await store.lockUser(id, unit.tx);
        if (await teams.ownsAny(id, unit.tx))
          throw new Problem("conflict", { detail: "You own teams: hand them over or delete them first." });
        return closeAccount(unit, id, call);
      });
    },
  };
}

/** Throws when `id` is the only administrator: nobody could undo what follows. */
function assertOthers(admins: readonly string[], id: string): void {
  if (admins.length === 1 && admins[0] === id) throw new Problem("conflict", { detail: "The last administrator has to stay one." });
}

function toManagedUser(row: UserRow) {
  return { ...toUserView(row), disabled: row.disabledAt !== null, tier: row.tier };
}
