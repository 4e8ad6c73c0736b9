import type { Queryable } from "../../../db/client.ts";
import type { AuthStore } from "./store.ts";
import type { TeamStore } from "./teams/store.ts";

/** Whether something may still happen on that authority while nobody is there: the account is open, and in the team (viewers only look). */
export function createMayAct({
  users,
  teams,
}: {
  readonly users: Pick<AuthStore, "findUser">;
  readonly teams: Pick<TeamStore, "findMember">;
}) {
  return async ({ ownerId, teamId }: { readonly ownerId: string; readonly teamId: string | null }, on: Queryable): Promise<boolean> => {
    const user = await users.findUser(ownerId, on);
    if (!user || user.disabledAt) return false;
    if (teamId === null) return true;
    const member = await teams.findMember(teamId, ownerId, on);
    return member !== undefined && member.role !== "viewer";
  };
}
