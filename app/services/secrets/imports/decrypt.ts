import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { Problem } from "../../../platform/errors.ts";

export interface OldValue {
  readonly encoding: "base64" | "hex";
  readonly ciphertext: string;
  readonly iv: string;
  readonly key: string;
  readonly hmac?: { readonly key: string; readonly tag: string; readonly over: "iv+ciphertext" | "ciphertext" } | undefined;
}

/**
 * AES-256-CBC with PKCS#7 padding, and HMAC-SHA-256 before it if there is one (encrypt-then-MAC). Throws one and the same `Problem`
 * (`undecryptable`) whatever is wrong, so that nobody learns the padding from it.
 */
export function decryptOldValue(given: OldValue): string {
  const text = tryDecrypt(given);
  if (text === undefined) throw new Problem("undecryptable");
  return text;
}

function tryDecrypt({ encoding, ciphertext, iv, key, hmac }: OldValue): string | undefined {
  try {
    const [body, vector, secret] = [ciphertext, iv, key].map((text) => decode(text, encoding));
    if (!body || !vector || !secret) return undefined;
    if (hmac && !isAuthentic({ body, vector, hmac, encoding })) return undefined;
    const decipher = createDecipheriv("aes-256-cbc", secret, vector);
    const plain = Buffer.concat([decipher.update(body), decipher.final()]);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
  } catch {
    return undefined;
  }
}

function isAuthentic({
  body,
  vector,
  hmac,
  encoding,
}: {
  readonly body: Buffer;
  readonly vector: Buffer;
  readonly hmac: NonNullable<OldValue["hmac"]>;
  readonly encoding: OldValue["encoding"];
}) {
  const [key, tag] = [decode(hmac.key, encoding), decode(hmac.tag, encoding)];
  if (!key || !tag) return false;
  const mac = createHmac("sha256", key);
  if (hmac.over === "iv+ciphertext") mac.update(vector);
  const expected = mac.update(body).digest();
  return tag.length === expected.length && timingSafeEqual(tag, expected);
}

/** Undefined for what is not wholly of that encoding. */
function decode(text: string, encoding: OldValue["encoding"]): Buffer | undefined {
  const compact = text.replaceAll(/\s/g, "");
  const shape = encoding === "hex" ? /^(?:[0-9a-f]{2})*$/i : /^[A-Za-z0-9+/_-]*={0,2}$/;
  return shape.test(compact) ? Buffer.from(compact, encoding) : undefined;
}
