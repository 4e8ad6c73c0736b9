import { decrypt, encrypt } from "./keys/aead.ts";

/** Encrypts what is stored. What was sealed with another key, for something else, or altered does not open. */
export interface Seal {
  /** `boundTo` names what it is and whose, so that one row's value does not open in the place of another's. */
  seal(plain: Uint8Array, boundTo: string): Uint8Array;
  /** Throws unless `sealed` is as it was made, for the same `boundTo`. */
  open(sealed: Uint8Array, boundTo: string): Uint8Array;
}

/** A seal of one key of 32 bytes, for what has a key of its own. */
export function createSeal(key: Uint8Array): Seal {
  return {
    seal: (plain, boundTo) => encrypt(key, plain, Buffer.from(boundTo)),
    open: (sealed, boundTo) => decrypt(key, sealed, Buffer.from(boundTo)),
  };
}
