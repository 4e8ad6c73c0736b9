import { inArray, sql } from "drizzle-orm";
import type { Tx } from "../../../../../db/client.ts";
import { accessProfiles } from "../../../../../db/schema/audit.ts";
import { type AccessProfile, accessProfile } from "./profile.ts";

export type ProfileStore = ReturnType<typeof createProfileStore>;

export function createProfileStore() {
  return {
    find: async (actors: readonly string[], on: Tx): Promise<Map<string, AccessProfile>> => {
      if (actors.length === 0) return new Map();
      const rows = await on
        .select()
        .from(accessProfiles)
        .where(inArray(accessProfiles.actorId, [...actors]));
      return new Map(rows.map(({ actorId, profile }) => [actorId, accessProfile.parse(profile)]));
    },

    save: async (profiles: ReadonlyMap<string, AccessProfile>, on: Tx): Promise<void> => {
      if (profiles.size === 0) return;
      await on
        .insert(accessProfiles)
        .values([...profiles].map(([actorId, profile]) => ({ actorId, profile, updatedAt: sql`now()` })))
        .onConflictDoUpdate({
          target: accessProfiles.actorId,
          set: { profile: sql`excluded.profile`, updatedAt: sql`excluded.updated_at` },
        });
    },
  };
}
