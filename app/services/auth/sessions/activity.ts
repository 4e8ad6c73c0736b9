import type { Now } from "../../../platform/clock.ts";
import type { SessionStore } from "./store.ts";

export interface Activity {
  /** The session has just been used. Costs nothing worth counting. */
  seen(sessionId: string): void;
  /** Stores what was seen since the last time; returns for how many sessions. */
  flush(): Promise<number>;
}

/** Keeps `lastSeenAt` true to within a flush, without a write per request. */
export function createActivity({ store, now }: { readonly store: Pick<SessionStore, "touch">; readonly now: Now }): Activity {
  let seen = new Set<string>();
  return {
    seen: (sessionId) => void seen.add(sessionId),
    flush: async () => {
      if (seen.size === 0) return 0;
      const flushed = seen;
      seen = new Set();
      const at = now();
      try {
        await store.touch([...flushed].map((id) => ({ id, at })));
      } catch (error) {
        for (const id of flushed) seen.add(id);
        throw error;
      }
      return flushed.size;
    },
  };
}
