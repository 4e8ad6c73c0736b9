import type { Actor } from "../../platform/actor.ts";
import type { BusEvent } from "../../platform/bus/port.ts";
import { everybody } from "../../platform/events.ts";

/** Whether the one it was made for may see the event. */
export type MaySee = (event: Pick<BusEvent, "audience" | "tenant">) => boolean;

/** Administrators see all. Others see what is addressed to them, to everybody, or to a team of theirs; a team's key only the last. */
export function createMaySee({ role, userId, via }: Actor, teamIds: readonly string[]): MaySee {
  if (role === "admin") return () => true;
  const teamOfKey = via.kind === "api_key" ? via.teamId : undefined;
  const addresses = new Set([everybody, ...(teamOfKey === undefined ? [userId] : [])]);
  const tenants = new Set(teamOfKey === undefined ? teamIds : teamIds.filter((id) => id === teamOfKey));
  return ({ audience, tenant }) => (audience !== undefined && addresses.has(audience)) || (tenant !== undefined && tenants.has(tenant));
}
