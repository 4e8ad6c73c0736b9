import type { Now } from "../../../platform/clock.ts";
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

/** Where the user was seen before. */
export type Sightings = (userId: string, limit: number) => Promise<readonly Pick<Sighting, "ip" | "createdAt">[]>;

const familiarMs = 30 * 86_400_000;
const sightingsMax = 100;

/** Whether the user has logged in from the network within 30 days. */
export function createIsFamiliar({ sightings, now }: { readonly sightings: Sightings; readonly now: Now }) {
  return async (userId: string, network: string): Promise<boolean> => {
    const since = now().getTime() - familiarMs;
    const past = await sightings(userId, sightingsMax);
    return past.some(({ ip, createdAt }) => ip !== null && networkOf(ip) === network && createdAt.getTime() >= since);
  };
}

function placeOf({ ip }: Sighting): string | undefined {
  return ip === null ? undefined : networkOf(ip);
}
