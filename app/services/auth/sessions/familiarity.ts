import { networkOf } from "../../../platform/network.ts";

export interface Sighting {
  readonly device: string;
  readonly ip: string | null;
  readonly createdAt: Date;
}

export type Suspicion = "new_device" | "new_network" | "impossible_pace";

/** Log-ins from this many networks within `paceMs` are more than one person's way through a day. */
const paceNetworks = 3;
const paceMs = 600_000;

/** What is unusual about a log-in, given earlier ones; nothing for the first, which has nothing to be compared with. */
export function suspicionsOf(now: Sighting, past: readonly Sighting[]): readonly Suspicion[] {
  if (past.length === 0) return [];
  const network = placeOf(now);
  const recent = past.filter(({ createdAt }) => now.createdAt.getTime() - createdAt.getTime() < paceMs);
  const networks = new Set([network, ...recent.map(placeOf)].filter((place) => place !== undefined));
  return [
    ...(past.some(({ device }) => device === now.device) ? [] : ["new_device" as const]),
    ...(network === undefined || past.some((sighting) => placeOf(sighting) === network) ? [] : ["new_network" as const]),
    ...(networks.size >= paceNetworks ? ["impossible_pace" as const] : []),
  ];
}

function placeOf({ ip }: Sighting): string | undefined {
  return ip === null ? undefined : networkOf(ip);
}
