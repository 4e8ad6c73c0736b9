import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Now } from "../clock.ts";
import { createStaleCache } from "./cache.ts";
import type { Vault } from "./client.ts";
import { VaultError, VaultUnavailable } from "./errors.ts";
import { parseAnswer, pathOf } from "./requests.ts";

export interface KvValuesOptions {
  readonly vault: Vault;
  /** Of an engine of the kind KV, version 2. */
  readonly mount: string;
  /** All paths are below it. */
  readonly prefix: string;
  readonly ttlMs: number;
  /** How long after `ttlMs` a value is still given while Vault is out of reach. */
  readonly staleMs: number;
  /** Told at most once a minute for each path. */
  readonly onStale: (stale: { readonly path: string; readonly ageMs: number }) => void;
  readonly now: Now;
  /** So many values are kept in memory. */
  readonly valuesMax?: number;
}

/** Values that are kept in Vault. All reject with a `VaultError`. */
export interface KvValues {
  /** Overwrites nothing: rejects when there is another value, or was one that is only marked as deleted. The same value again is no change. */
  put(path: string, value: Uint8Array): Promise<void>;
  /** Rejects with `VaultUnavailable` only when no value that is young enough is remembered. */
  get(path: string): Promise<Uint8Array>;
  /** For good, with all versions. What is not there is deleted already. */
  delete(path: string): Promise<void>;
}

const stored = z.object({ data: z.object({ data: z.object({ value: z.base64() }) }) });

/** The policy needs `create` and `read` on `<mount>/data/<prefix>/*`, and `delete` on `<mount>/metadata/<prefix>/*`. */
export function createKvValues({ vault, mount, prefix, onStale, valuesMax = 1_000, ...options }: KvValuesOptions): KvValues {
  const at = (kind: "data" | "metadata", path: string) => pathOf(mount, kind, prefix, path);
  const read = async (path: string): Promise<Uint8Array> =>
    Buffer.from(parseAnswer(stored, await vault.read(at("data", path))).data.data.value, "base64");
  const cache = createStaleCache({
    ...options,
    load: read,
    entriesMax: valuesMax,
    isOutage: (error) => error instanceof VaultUnavailable,
    onStale: ({ key, ageMs }) => onStale({ path: key, ageMs }),
  });

  return {
    put: async (path, value) => {
      try {
        await vault.write(at("data", path), { options: { cas: 0 }, data: { value: Buffer.from(value).toString("base64") } });
      } catch (error) {
        if (!isTaken(error) || !(await holds(path, value))) throw error;
      } finally {
        cache.forget(path);
      }
    },
    // A copy: the caller may wipe it after use.
    get: async (path) => Uint8Array.from(await cache.get(path)),
    delete: async (path) => {
      try {
        await vault.delete(at("metadata", path));
      } finally {
        cache.forget(path);
      }
    },
  };

  /** A write whose answer was lost is sent again, and finds what it wrote itself. */
  async function holds(path: string, value: Uint8Array): Promise<boolean> {
    const there = await read(path).catch((error: unknown) => {
      if (error instanceof VaultUnavailable || !(error instanceof VaultError)) throw error;
      return undefined;
    });
    return there !== undefined && there.length === value.length && timingSafeEqual(there, value);
  }
}

/** With only `create` in the policy, writing to a path that has a value is forbidden before its version is compared. */
function isTaken(error: unknown): boolean {
  return error instanceof VaultError && (error.status === 403 || (error.status === 400 && error.message.includes("check-and-set")));
}
