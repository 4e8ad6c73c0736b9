import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** What encryption adds to the length of what it encrypts. */
export const overheadBytes = nonceBytes + tagBytes;

const algorithm = "aes-256-gcm";

/** Random bytes are taken from the system in pieces of this size: a call for twelve of them costs more than the encryption they are for. */
const pool = Buffer.allocUnsafe(8_192);
let taken = pool.length;

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; layout: nonce, tag, ciphertext. `associated` is authenticated and not part of the result.
 * With random nonces one key may be used 2^32 times (§8.3).
 */
export function encrypt(key: Uint8Array, plain: Uint8Array, associated: Uint8Array): Uint8Array {
  return encryptWith({ key, nonce: randomBytes(nonceBytes), associated }, plain);
}

/** The same with a given nonce, which must never come twice with one key: for test vectors. */
export function encryptWith(
  { key, nonce, associated }: { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly associated: Uint8Array },
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(algorithm, key, nonce);
  cipher.setAAD(associated);
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** Throws when it was encrypted with another key or for other associated data, was altered, or is too short. */
export function decrypt(key: Uint8Array, encrypted: Uint8Array, associated: Uint8Array): Uint8Array {
  if (encrypted.length < overheadBytes) throw new Error("too short to be encrypted");
  const decipher = createDecipheriv(algorithm, key, encrypted.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAuthTag(encrypted.subarray(nonceBytes, overheadBytes));
  decipher.setAAD(associated);
  const plain = decipher.update(encrypted.subarray(overheadBytes));
  decipher.final();
  return plain;
}

/** Each byte is given out once. */
export function randomBytes(count: number): Uint8Array {
  if (taken + count > pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  const bytes = Uint8Array.prototype.slice.call(pool, taken, taken + count);
  pool.fill(0, taken, taken + count);
  taken += count;
  return bytes;
}
