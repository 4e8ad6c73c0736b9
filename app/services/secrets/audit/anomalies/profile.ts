import { z } from "zod";

/** What is known of how somebody reads secrets. */
export const accessProfile = z.object({
  since: z.number(),
  accesses: z.number(),
  /** By hour of the day, UTC. */
  hours: z.array(z.number()).length(24),
  networks: z.array(z.string()),
  /** The minute that is being counted, in minutes since 1970, and how many so far. */
  minute: z.number(),
  inMinute: z.number(),
  /** The most in any minute before. */
  peak: z.number(),
  /** When something was last told, by kind, in hours since 1970. */
  told: z.partialRecord(z.enum(["hour", "network", "rate"]), z.number()),
});
export type AccessProfile = z.infer<typeof accessProfile>;

export interface AccessSeen {
  readonly atMs: number;
  readonly network: string | undefined;
}

export interface Anomaly {
  readonly kind: "hour" | "network" | "rate";
  readonly detail: string;
}

const dayMs = 86_400_000;
/** Before so many accesses, and so many days after the first, nothing is unusual, as nothing is usual. */
const historyMin = 50;
const daysMin = { hour: 7, network: 1, rate: 1 } as const;
/** An hour is unusual that has had less of all accesses, it and the ones beside it. */
const usualShare = 0.01;
/** A minute is unusual with more accesses than this, and than so many times the most of any before, which counts half after each 30 days. */
const rateMin = 30;
const rateFactor = 5;
const peakHalvesMinutes = 30 * 1_440;
const networksMax = 200;

/** Counts an access, and says what of it is unusual: each kind at most once an hour. */
export function observe(before: AccessProfile | undefined, seen: AccessSeen): { profile: AccessProfile; anomalies: Anomaly[] } {
  const { atMs, network } = seen;
  const profile = before ?? fresh(atMs);
  const minute = Math.floor(atMs / 60_000);
  const hour = new Date(atMs).getUTCHours();
  const counted = count(profile, minute);
  const found = [...unusualHour(profile, atMs), ...unusualNetwork(profile, seen), ...unusualRate(profile, atMs, counted)];
  const now = Math.floor(atMs / 3_600_000);
  const anomalies = found.filter(({ kind }) => profile.told[kind] !== now);
  return {
    profile: {
      ...profile,
      ...counted,
      accesses: profile.accesses + 1,
      hours: profile.hours.with(hour, (profile.hours[hour] ?? 0) + 1),
      networks: withNetwork(profile.networks, network),
      told: { ...profile.told, ...Object.fromEntries(anomalies.map(({ kind }) => [kind, now])) },
    },
    anomalies,
  };
}

function fresh(atMs: number): AccessProfile {
  return { since: atMs, accesses: 0, hours: Array<number>(24).fill(0), networks: [], minute: 0, inMinute: 0, peak: 0, told: {} };
}

/** Copies' clocks differ a little: what comes late counts for the minute that has begun. */
function count({ minute, inMinute, peak }: AccessProfile, now: number): Pick<AccessProfile, "minute" | "inMinute" | "peak"> {
  if (now <= minute) return { minute, inMinute: inMinute + 1, peak };
  return { minute: now, inMinute: 1, peak: Math.max(peak * 2 ** ((minute - now) / peakHalvesMinutes), inMinute) };
}

function knows({ since, accesses }: AccessProfile, kind: Anomaly["kind"], atMs: number): boolean {
  return accesses >= historyMin && atMs - since >= daysMin[kind] * dayMs;
}

function unusualHour(profile: AccessProfile, atMs: number): Anomaly[] {
  const { accesses, hours } = profile;
  const hour = new Date(atMs).getUTCHours();
  const near = [-1, 0, 1].reduce((sum, step) => sum + (hours[(hour + step + 24) % 24] ?? 0), 0);
  if (!knows(profile, "hour", atMs) || near / accesses >= usualShare) return [];
  return [{ kind: "hour", detail: `${near} of ${accesses} accesses were around ${hour}:00 UTC` }];
}

function unusualNetwork(profile: AccessProfile, { atMs, network }: AccessSeen): Anomaly[] {
  const { accesses, networks } = profile;
  if (!knows(profile, "network", atMs) || network === undefined || networks.includes(network)) return [];
  return [{ kind: "network", detail: `the first from ${network}, after ${accesses} from ${networks.length} others` }];
}

/** Those of the minute itself are no history. */
function unusualRate(profile: AccessProfile, atMs: number, { inMinute, peak }: Pick<AccessProfile, "inMinute" | "peak">): Anomaly[] {
  const before = { ...profile, accesses: profile.accesses - (inMinute - 1) };
  if (!knows(before, "rate", atMs) || inMinute <= Math.max(rateMin, peak * rateFactor)) return [];
  return [{ kind: "rate", detail: `${inMinute} in a minute; the most before were ${Math.round(peak)}` }];
}

/** The latest ones. */
function withNetwork(networks: readonly string[], network: string | undefined): string[] {
  if (network === undefined || networks.includes(network)) return [...networks];
  return [...networks, network].slice(-networksMax);
}
