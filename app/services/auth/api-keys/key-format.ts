import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { apiKeyPrefix } from "../../../platform/ids.ts";

/** What a presented key says of itself. */
export interface KeyParts {
  readonly keyId: string;
  readonly secret: string;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const secretBytes = 32;
const secretLength = 43;
const checksumLength = 6;
/** A minted secret has 43 characters; that of an imported key may have others, up to what bcrypt takes. */
const shape = /^klsn_(?<id>[0-9a-f]{32})(?<secret>[0-9A-Za-z]{20,72})(?<checksum>[0-9A-Za-z]{6})$/;

/** 256 random bits in base 62, so that a double click takes all of the key. */
export function newSecret(): string {
  return toBase62(BigInt(`0x${randomBytes(secretBytes).toString("hex")}`), secretLength);
}

/**
 * The key as its holder gets it: `klsn_`, the 32 hex digits of its id, the secret, and the CRC-32 (ISO 3309) of all of that in six characters
 * of base 62, as GitHub's tokens have it. The checksum is no secret: it tells a mistyped or invented key without a lookup, and scanners of
 * leaked secrets a true find from a false one.
 */
export function formatKey({ keyId, secret }: KeyParts): string {
  const body = `${apiKeyPrefix}${keyId.replace("key_", "")}${secret}`;
  return body + checksumOf(body);
}

/** Undefined for what is no key of ours, or has a wrong checksum. Asks nobody. */
export function parseKey(key: string): KeyParts | undefined {
  const { id, secret, checksum } = shape.exec(key)?.groups ?? {};
  if (id === undefined || secret === undefined || checksum === undefined) return undefined;
  return checksumOf(key.slice(0, -checksumLength)) === checksum ? { keyId: `key_${id}`, secret } : undefined;
}

/**
 * HMAC-SHA-256 of the secret under the key's id. The secret has 256 bits of randomness, so nobody finds it by trying and a slow hash would only
 * cost time (OWASP ASVS 5.0, 6.5.2 and 11.4). The HMAC key is no secret of the installation: copies on one database may each have a
 * key-encryption key of their own, and none could open what another has sealed. It binds the hash to its row: copied to another it opens nothing.
 */
export function hashSecret({ keyId, secret }: KeyParts): string {
  return createHmac("sha256", `keelson api key\0${keyId}`).update(secret).digest("base64url");
}

/** Whether the secret is the one that was hashed: by `hashSecret`, or by bcrypt for an imported key. */
export async function matchesHash(parts: KeyParts, hash: string): Promise<boolean> {
  if (isImported(hash)) return Bun.password.verify(parts.secret, hash);
  const [given, stored] = [Buffer.from(hashSecret(parts)), Buffer.from(hash)];
  return given.length === stored.length && timingSafeEqual(given, stored);
}

/** Bcrypt, in its modular crypt format. */
export function isImported(hash: string): boolean {
  return /^\$2[aby]\$/.test(hash);
}

function checksumOf(body: string): string {
  return toBase62(BigInt(Bun.hash.crc32(body)), checksumLength);
}

function toBase62(value: bigint, length: number): string {
  let text = "";
  for (let rest = value; rest > 0n; rest /= 62n) text = (alphabet[Number(rest % 62n)] ?? "") + text;
  return text.padStart(length, "0");
}
