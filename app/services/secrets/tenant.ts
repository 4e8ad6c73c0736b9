import type { Actor, RequestOrigin } from "../../platform/actor.ts";
import { Problem } from "../../platform/errors.ts";
import { addressedTo } from "../../platform/events.ts";
import type { Can, Resource } from "../auth/can.ts";

/** Whose a secret is: a user's id, a team's id, or the system's. */
export type Tenant = string;
export const systemTenant = "system";

/** As a request says it: the caller's own unless it names a team or the system. */
export interface Whose {
  readonly teamId?: string | undefined;
  readonly scope?: "system" | undefined;
}

export interface SecretCall {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/** A team's key is always about its team. Throws `Problem` (`not_found`) when it asks for something else. */
export function tenantOf({ userId, via }: Actor, { teamId, scope }: Whose): Tenant {
  const keyOf = via.kind === "api_key" ? via.teamId : undefined;
  if (keyOf !== undefined) {
    if (scope !== undefined || (teamId !== undefined && teamId !== keyOf))
      throw new Problem("not_found", { detail: "A team's key sees the secrets of its team alone." });
    return keyOf;
  }
  if (scope === "system") return systemTenant;
  // Nothing else is a team: an administrator must not get at a user's by their id.
  if (teamId !== undefined && !isTeam(teamId)) throw new Problem("not_found", { detail: `There is no team ${teamId}.` });
  return teamId ?? userId;
}

/** As `can` takes it. */
export function ownerOf(tenant: Tenant): { readonly ownerId?: string; readonly teamId?: string } {
  if (tenant === systemTenant) return {};
  return isTeam(tenant) ? { teamId: tenant } : { ownerId: tenant };
}

function isTeam(id: string): boolean {
  return id.startsWith("team_");
}

/** How a view says whose it is: nothing for the owner's own. */
export function teamOf(tenant: Tenant): { readonly teamId?: string } {
  return isTeam(tenant) ? { teamId: tenant } : {};
}

/** Who is told of what happens to its secrets. The system's are for administrators. */
export function addressOf(tenant: Tenant): { readonly audience?: string; readonly tenant?: string } {
  return addressedTo(ownerOf(tenant));
}

/** Throws `Problem`: `not_found` where the caller has nothing to look for, `forbidden` for who may look and not write, and at the system's. */
export async function assertMay(can: Can, actor: Actor, { tenant, action }: { tenant: Tenant; action: "secrets:read" | "secrets:write" }) {
  const resource: Resource = ownerOf(tenant);
  if (await can(actor, action, resource)) return;
  if (tenant === systemTenant) throw new Problem("forbidden", { detail: "Secrets of the system are for administrators." });
  if (action === "secrets:write" && (await can(actor, "secrets:read", resource)))
    throw new Problem("forbidden", { detail: "You may read these secrets, not write them." });
  throw new Problem("not_found", { detail: "There is nothing of this owner for you." });
}

export interface ValuePlace {
  readonly tenant: Tenant;
  readonly name: string;
  readonly version: number;
}

/** What a value is bound to. A JSON array, so that no two places have the same text, whatever is in a name. */
export function bindingOf({ tenant, name, version }: ValuePlace): string {
  return JSON.stringify(["secret", tenant, name, version]);
}
