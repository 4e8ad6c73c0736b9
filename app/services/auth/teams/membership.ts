import type { Actor } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { TeamRole, TeamRow, TeamStore } from "./store.ts";

/** The team as a member sees it. */
export type MemberTeam = TeamRow & { readonly role: TeamRole };

export type Membership = ReturnType<typeof createMembership>;

/** Who may look at and change a team. A team that the caller is not in does not exist, and to a team's key there is no other team. */
export function createMembership(store: Pick<TeamStore, "find" | "lock" | "roleOf">) {
  const missing = (id: string) => new Problem("not_found", { detail: `There is no team ${id}.` });
  const isElsewhere = ({ via }: Actor, id: string) => via.kind === "api_key" && via.teamId !== undefined && via.teamId !== id;

  return {
    missing,

    seen: async (actor: Actor, id: string): Promise<MemberTeam> => {
      const team = isElsewhere(actor, id) ? undefined : await store.find(id, actor.userId);
      if (!team) throw missing(id);
      return team;
    },

    /** Nobody else changes the team until the unit ends. */
    locked: async (unit: Unit, actor: Actor, id: string): Promise<MemberTeam> => {
      const row = isElsewhere(actor, id) ? undefined : await store.lock(id, unit.tx);
      const role = row && (await store.roleOf(id, actor.userId, unit.tx));
      if (!row || !role) throw missing(id);
      return { ...row, role };
    },
  };
}

/** Throws `Problem` (`forbidden`) for a member or viewer. */
export function assertRuns({ role }: MemberTeam): void {
  if (role !== "owner" && role !== "admin") throw new Problem("forbidden", { detail: "This needs the team's owner or an admin of it." });
}

/** Throws `Problem` (`forbidden`) unless who has `role` in the team may manage those who have `other`: admins may not manage admins. */
export function assertOutranks({ role }: MemberTeam, other: TeamRole): void {
  const may = role === "owner" || (role === "admin" && (other === "member" || other === "viewer"));
  if (!may) throw new Problem("forbidden", { detail: `A team's ${role} may not manage its ${other}s.` });
}
