import { createHash, randomBytes } from "node:crypto";

const codes = 10;
/** No letters that are read as others. */
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
const groups = 5;
const groupLength = 5;

/** Ten codes of 25 letters in groups of five: 123 bits each, so that a plain digest is enough to store (OWASP ASVS 5.0, 6.5.2). */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: codes }, newCode);
}

/** The same for every way to write the code. */
export function recoveryCodeHash(userId: string, code: string): string {
  return createHash("sha256")
    .update(`${userId}\0${code.toLowerCase().replaceAll(/[^a-z0-9]/g, "")}`)
    .digest("base64url");
}

function newCode(): string {
  return Array.from({ length: groups }, () => Array.from({ length: groupLength }, letter).join("")).join("-");
}

/** Bytes beyond the last whole multiple of the alphabet are drawn again: each letter is as likely as any other. */
function letter(): string {
  for (;;) {
    const [byte = 255] = randomBytes(1);
    if (byte < alphabet.length * Math.floor(256 / alphabet.length)) return alphabet[byte % alphabet.length] ?? "";
  }
}
