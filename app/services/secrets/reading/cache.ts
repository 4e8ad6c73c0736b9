import type { SecretValue } from "../value.ts";

interface Opened {
  readonly kept: Uint8Array;
  readonly value: SecretValue;
  readonly bytes: number;
  readonly until: number;
}

export interface ValueCacheOptions {
  readonly ttlMs: number;
  /** Of what is kept opened and sealed together. */
  readonly bytesMax: number;
}

export type ValueCache = ReturnType<typeof createValueCache>;

/**
 * Values that were opened a moment ago. It saves the opening and nothing else: who asks, which version is the newest and what its row keeps has
 * been read from the database before, and a value is only here for a row in the same place that keeps the very same bytes. So what was deleted, changed or altered
 * is never answered from here.
 */
export function createValueCache({ ttlMs, bytesMax }: ValueCacheOptions) {
  const opened = new Map<string, Opened>();
  let bytes = 0;
  const drop = (key: string) => {
    bytes -= opened.get(key)?.bytes ?? 0;
    opened.delete(key);
  };

  return {
    find: (key: string, kept: Uint8Array): SecretValue | undefined => {
      const found = opened.get(key);
      if (!found) return undefined;
      if (found.until > performance.now() && Buffer.compare(found.kept, kept) === 0) return found.value;
      drop(key);
      return undefined;
    },

    /** Entries are as old as their place in the map: all live equally long. */
    put: (
      key: string,
      { kept, value, plainBytes }: { readonly kept: Uint8Array; readonly value: SecretValue; readonly plainBytes: number },
    ) => {
      drop(key);
      const size = kept.length + plainBytes;
      opened.set(key, { kept, value, bytes: size, until: performance.now() + ttlMs });
      bytes += size;
      for (const [oldest, { until }] of opened) {
        if (bytes <= bytesMax && until > performance.now()) break;
        drop(oldest);
      }
    },

    get bytes() {
      return bytes;
    },
  };
}
