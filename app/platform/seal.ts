import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { DataFolder } from "./data-folder.ts";

/** Encrypts with the key-encryption key; what was sealed with another key or altered does not open. */
export interface Seal {
  seal(plain: Uint8Array): Uint8Array;
  /** Throws when `sealed` was altered, cut or made with another key. */
  open(sealed: Uint8Array): Uint8Array;
}

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; layout: nonce, tag, ciphertext. `key` has 32 bytes. */
export function createSeal(key: Uint8Array): Seal {
  return {
    seal: (plain) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce);
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open: (sealed) => {
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes));
      decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()]);
    },
  };
}

/** The installation's key from `KEELSON_KEK`, or the one this data folder keeps. */
export async function keyEncryptionKey(configured: string | undefined, folder: Pick<DataFolder, "secret">): Promise<Uint8Array> {
  if (configured !== undefined) return Buffer.from(configured, "base64");
  return Buffer.from(await folder.secret("key-encryption-key"), "base64url");
}
