import type { Seal } from "../seal.ts";
import { decrypt, encrypt, keyBytes, overheadBytes, randomBytes } from "./aead.ts";

/** A key-encryption key in memory. */
export interface Kek {
  readonly version: number;
  readonly key: Uint8Array;
}

export interface Keks {
  /** The one to encrypt with. */
  current(): Kek;
  /** Undefined when it is disabled, or was never one of ours. */
  find(version: number): Kek | undefined;
}

/** Sealed with a key that is disabled, or of another installation. */
export class UnknownKek extends Error {
  override readonly name = "UnknownKek";
}

/*
 * Format 1: the byte 1; the version of the key-encryption key, four bytes, the most significant first; the data key, encrypted with it; the value,
 * encrypted with the data key. Both encryptions are nonce, tag, ciphertext (`aead.ts`). The data key's associated data is the header before it, the
 * value's is what it is bound to; so a value stays bound when its data key is wrapped anew.
 */
const format = 1;
const headerBytes = 5;
const wrappedKeyBytes = overheadBytes + keyBytes;
/** Header and data key: what rewrapping replaces. */
export const prefixBytes = headerBytes + wrappedKeyBytes;

/** Envelope encryption: a fresh data key for each value, wrapped by the key-encryption key in force. */
export function createEnvelope(keks: Keks): Seal {
  return {
    seal: (plain, boundTo) => {
      const dataKey = randomBytes(keyBytes);
      return Buffer.concat([wrap(keks.current(), dataKey), encrypt(dataKey, plain, Buffer.from(boundTo))]);
    },
    open: (sealed, boundTo) => decrypt(unwrap(keks, sealed), sealed.subarray(prefixBytes), Buffer.from(boundTo)),
  };
}

/** Which key-encryption key a sealed value needs. Throws when it is none. */
export function kekVersionOf(sealed: Uint8Array): number {
  if (sealed[0] !== format || sealed.length < prefixBytes) throw new Error("not a sealed value");
  return Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length).readUInt32BE(1);
}

/** The prefix of a sealed value, made anew under the key in force; the rest of the value stays, and what it is bound to need not be known. */
export function rewrapPrefix(keks: Keks, prefix: Uint8Array): Uint8Array {
  return wrap(keks.current(), unwrap(keks, prefix));
}

function wrap({ version, key }: Kek, dataKey: Uint8Array): Uint8Array {
  const header = headerOf(version);
  return Buffer.concat([header, encrypt(key, dataKey, header)]);
}

function unwrap(keks: Keks, sealed: Uint8Array): Uint8Array {
  const version = kekVersionOf(sealed);
  const kek = keks.find(version);
  if (!kek) throw new UnknownKek(`the value needs the key-encryption key ${version}, which is disabled or not of this installation`);
  return decrypt(kek.key, sealed.subarray(headerBytes, prefixBytes), headerOf(version));
}

function headerOf(version: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header[0] = format;
  header.writeUInt32BE(version, 1);
  return header;
}
