import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { Call, KeyAuthority } from "../api-keys/authority.ts";
import { teamDeleted, teamMemberRemoved, teamOwnerChanged } from "./events.ts";
import type { TeamStore } from "./store.ts";

export interface LeaveTeamsDeps {
  readonly store: Pick<TeamStore, "idsOf" | "lock" | "roleOf" | "removeMember" | "heirOf" | "setRole" | "delete">;
  readonly keys: Pick<KeyAuthority, "endAll">;
}

/** Part of the caller's unit of work. Returns how many teams the user was in. */
export type LeaveTeams = (unit: Unit, userId: string, origin?: RequestOrigin) => Promise<number>;

/** Takes a user out of all teams. One that they own goes to the highest of the others, the longest in it first; one without others goes. */
export function createLeaveTeams({ store, keys }: LeaveTeamsDeps): LeaveTeams {
  const handOn = async (
    unit: Unit,
    teamId: string,
    { userId, from }: { readonly userId: string; readonly from: Partial<Pick<Call, "origin">> },
  ) => {
    const heir = await store.heirOf(teamId, unit.tx);
    if (heir === undefined) {
      await keys.endAll(unit, { teamId }, { reason: "team_deleted", ...from });
      await store.delete(teamId, unit.tx);
      unit.publish(teamDeleted, { subject: teamId, audience: userId, tenant: teamId, ...from, data: {} });
      return;
    }
    await store.setRole({ teamId, userId: heir }, "owner", unit.tx);
    unit.publish(teamOwnerChanged, { subject: teamId, audience: heir, tenant: teamId, ...from, data: { from: userId, to: heir } });
  };

  return async (unit, userId, origin) => {
    const from = origin ? { origin } : {};
    const ids = await store.idsOf(userId, unit.tx);
    for (const teamId of ids) {
      await store.lock(teamId, unit.tx);
      const role = await store.roleOf(teamId, userId, unit.tx);
      await store.removeMember(teamId, userId, unit.tx);
      await keys.endAll(unit, { teamId, madeBy: userId }, { reason: "member_removed", ...from });
      unit.publish(teamMemberRemoved, { subject: teamId, audience: userId, tenant: teamId, ...from, data: { userId } });
      if (role === "owner") await handOn(unit, teamId, { userId, from });
    }
    return ids.length;
  };
}
