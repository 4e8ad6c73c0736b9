import { createHash } from "node:crypto";
import type { DataFolder } from "../data-folder.ts";
import { decrypt, encrypt } from "./aead.ts";

/** Wraps key-encryption keys with a key of its own, which is never in the database. */
export interface RootKey {
  /** Which key it is, for messages; no secret. */
  readonly id: string;
  /** `boundTo` is associated data: what was wrapped for one name does not open for another. */
  wrap(key: Uint8Array, boundTo: string): Promise<Uint8Array>;
  /** Throws when it was wrapped by another key, for another name, or altered. */
  unwrap(wrapped: Uint8Array, boundTo: string): Promise<Uint8Array>;
}

/** A root key of 32 bytes in this process: from `KEELSON_KEK`, or from the data folder. */
export function createLocalRootKey(key: Uint8Array): RootKey {
  return {
    id: `local:${createHash("sha256").update("keelson root key id\0").update(key).digest("hex").slice(0, 12)}`,
    wrap: async (plain, boundTo) => encrypt(key, plain, Buffer.from(boundTo)),
    unwrap: async (wrapped, boundTo) => decrypt(key, wrapped, Buffer.from(boundTo)),
  };
}

/** The local root key from `KEELSON_KEK`, or the one this data folder keeps. */
export async function localRootSecret(configured: string | undefined, folder: Pick<DataFolder, "secret">): Promise<Uint8Array> {
  if (configured !== undefined) return Buffer.from(configured, "base64");
  return Buffer.from(await folder.secret("key-encryption-key"), "base64url");
}
