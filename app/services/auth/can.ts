import type { Actor } from "../../platform/actor.ts";
import { holdsScope, type Scope, type ServiceScope } from "../../platform/scopes.ts";

export type TeamRole = "owner" | "admin" | "member" | "viewer";

/** What something is about: whose it is. With a team it is the team's, and who made it has no right of their own. */
export interface Resource {
  readonly ownerId?: string | null;
  readonly teamId?: string | null;
}

/**
 * Whether the actor may do it. Every service asks this and nothing else:
 * - an API key only within its scopes, a team's key only with what is the team's;
 * - administrators everything (`actor.role`: for a key that takes the scope `admin` too);
 * - a team's members by their role: viewers read, all others write as well;
 * - owners everything with what is theirs alone.
 *
 * A promise only when membership has to be asked for.
 */
export type Can = (actor: Actor, action: Scope, resource: Resource) => boolean | Promise<boolean>;

export interface CanDeps {
  /** Undefined for who is not in the team. */
  readonly teamRole: (teamId: string, userId: string) => Promise<TeamRole | undefined>;
}

export function createCan({ teamRole }: CanDeps): Can {
  return (actor, action, { ownerId, teamId }) => {
    const { role, via, userId } = actor;
    if (!holdsScope(actor, action)) return false;
    if (role === "admin") return true;
    if (action === "admin") return false;
    if (via.kind === "api_key" && via.teamId !== undefined && via.teamId !== teamId) return false;
    if (teamId) return teamRole(teamId, userId).then((it) => roleMay(it, action));
    return ownerId === userId;
  };
}

function roleMay(role: TeamRole | undefined, action: ServiceScope): boolean {
  return role !== undefined && (role !== "viewer" || action.endsWith(":read"));
}
