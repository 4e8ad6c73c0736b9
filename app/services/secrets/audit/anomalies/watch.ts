import { siteOf } from "../../../../platform/network.ts";
import type { Unit } from "../../../../platform/outbox.ts";
import { unusualAccess } from "../events.ts";
import type { Link } from "../store.ts";
import { type AccessProfile, observe } from "./profile.ts";
import type { ProfileStore } from "./store.ts";

/** Actions that give something secret out. */
const accessAction = /\.(read|revealed|used|downloaded)$/;

/**
 * Compares what is read with what its reader usually does. Part of the transaction that chains the entries, so each is looked at exactly once, whichever
 * copy does it.
 */
export function createAnomalyWatch(store: ProfileStore) {
  return async (unit: Unit, links: readonly Link[]): Promise<void> => {
    const accesses = links.filter(({ entry }) => entry.actor !== null && entry.outcome === "success" && accessAction.test(entry.action));
    const actors = [...new Set(accesses.flatMap(({ entry }) => entry.actor ?? []))];
    const profiles: Map<string, AccessProfile> = await store.find(actors, unit.tx);
    for (const { entry } of accesses) {
      const { actor, action, at, ip } = entry;
      if (actor === null) continue;
      const network = ip === null ? undefined : siteOf(ip);
      const { profile, anomalies } = observe(profiles.get(actor), { atMs: Date.parse(at), network });
      profiles.set(actor, profile);
      for (const { kind, detail } of anomalies)
        unit.publish(unusualAccess, { subject: actor, audience: actor, actorId: actor, data: { kind, action, entryId: entry.id, detail } });
    }
    await store.save(profiles, unit.tx);
  };
}
