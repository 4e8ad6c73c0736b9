import { eq, inArray, lt, sql } from "drizzle-orm";
import type { Db, Queryable, Tx } from "../../../../../db/client.ts";
import { accessProfiles } from "../../../../../db/schema/audit.ts";
import { type AccessProfile, accessProfile } from "./profile.ts";

export type ProfileStore = ReturnType<typeof createProfileStore>;

export function createProfileStore(db: Db) {
  return {
    of: async (actorId: string): Promise<AccessProfile | undefined> => {
      const [row] = await db.select().from(accessProfiles).where(eq(accessProfiles.actorId, actorId));
      return accessProfile.safeParse(row?.profile).data;
    },

    delete: async (actorId: string, on: Queryable): Promise<void> => {
      await on.delete(accessProfiles).where(eq(accessProfiles.actorId, actorId));
    },

    /** Those of who has read nothing for so long. Answers with how many. */
    forget: async (days: number): Promise<number> => {
      const gone = await db
        .delete(accessProfiles)
        .where(lt(accessProfiles.updatedAt, sql`now() - make_interval(days => ${days}::int)`))
        .returning({ actorId: accessProfiles.actorId });
      return gone.length;
    },

    /** Without those that can't be read: the chain does not stop for one. */
    find: async (actors: readonly string[], on: Tx): Promise<Map<string, AccessProfile>> => {
      if (actors.length === 0) return new Map();
      const rows = await on
        .select()
        .from(accessProfiles)
        .where(inArray(accessProfiles.actorId, [...actors]));
      return new Map(
        rows.flatMap(({ actorId, profile }) => {
          const { data } = accessProfile.safeParse(profile);
          return data ? [[actorId, data] as const] : [];
        }),
      );
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
