import type { Now } from "../clock.ts";

export interface StaleCacheOptions<T> {
  readonly load: (key: string) => Promise<T>;
  /** How long a value is given without asking. */
  readonly ttlMs: number;
  /** How long after that it is still given while the source is out of reach. */
  readonly staleMs: number;
  readonly entriesMax: number;
  readonly isOutage: (error: unknown) => boolean;
  /** At most once a minute for each key. */
  readonly onStale: (stale: { readonly key: string; readonly ageMs: number }) => void;
  readonly now: Now;
}

export interface StaleCache<T> {
  get(key: string): Promise<T>;
  /** Also keeps what is being loaded from being remembered. */
  forget(key: string): void;
}

interface Entry<T> {
  readonly value: T;
  readonly loadedAt: number;
  toldAt: number;
}

const tellEveryMs = 60_000;
/** After a failure, stale values are given at once for so long: otherwise each read would wait for the same time-out. */
const restMs = 5_000;

/** A cache with single flight that bridges an outage of its source for a stated time. Any other failure forgets the value. */
export function createStaleCache<T>(options: StaleCacheOptions<T>): StaleCache<T> {
  const { load, ttlMs, staleMs, entriesMax, isOutage, onStale } = options;
  const now = () => options.now().getTime();
  const entries = new Map<string, Entry<T>>();
  const flights = new Map<string, Promise<T>>();
  let restUntil = Number.NEGATIVE_INFINITY;

  return {
    get: async (key) => {
      const entry = entries.get(key);
      if (entry && now() - entry.loadedAt < ttlMs) return entry.value;
      if (entry && now() < restUntil && isBridging(entry)) return giveStale(key, entry);
      return await (flights.get(key) ?? fly(key, entry));
    },
    forget: (key) => {
      entries.delete(key);
      flights.delete(key);
    },
  };

  function fly(key: string, before: Entry<T> | undefined): Promise<T> {
    const flight: Promise<T> = refresh(key, before, () => flights.get(key) === flight);
    flights.set(key, flight);
    return flight;
  }

  async function refresh(key: string, before: Entry<T> | undefined, isCurrent: () => boolean): Promise<T> {
    const asked = now();
    try {
      const value = await load(key);
      if (isCurrent()) keep(key, { value, loadedAt: asked, toldAt: before?.toldAt ?? Number.NEGATIVE_INFINITY });
      return value;
    } catch (error) {
      const stale = isCurrent() ? afterFailure(key, error) : undefined;
      if (!stale) throw error;
      return giveStale(key, stale);
    } finally {
      if (isCurrent()) flights.delete(key);
    }
  }

  function afterFailure(key: string, error: unknown): Entry<T> | undefined {
    const entry = entries.get(key);
    if (isOutage(error)) {
      restUntil = now() + restMs;
      if (entry && isBridging(entry)) return entry;
    }
    entries.delete(key);
    return undefined;
  }

  function isBridging(entry: Entry<T>): boolean {
    return now() - entry.loadedAt < ttlMs + staleMs;
  }

  function giveStale(key: string, entry: Entry<T>): T {
    const at = now();
    if (at - entry.toldAt >= tellEveryMs) {
      entry.toldAt = at;
      onStale({ key, ageMs: at - entry.loadedAt });
    }
    return entry.value;
  }

  function keep(key: string, entry: Entry<T>): void {
    // Deleted first so that it moves to the end: the map's order is then the order of loading.
    entries.delete(key);
    for (const oldest of entries.keys()) {
      if (entries.size < entriesMax) break;
      entries.delete(oldest);
    }
    entries.set(key, entry);
  }
}
