import type { TOTP } from "otpauth";

const periodSeconds = 30;
/** Clocks differ: a code of the step before or after is taken too (RFC 6238 §5.2). */
const window = 1;

/** 160 bits, as RFC 4226 §4 recommends. */
export async function newTotpSecret(): Promise<Uint8Array> {
  const { Secret } = await import("otpauth");
  return new Secret({ size: 20 }).bytes;
}

/** What the sealed secret of a user is bound to. */
export function totpSecretOf(userId: string): string {
  return `totp:${userId}`;
}

/** What an authenticator app is told: the secret in base32, and the URI that its QR code holds. */
export async function describeTotp(secret: Uint8Array, account: string): Promise<{ readonly secret: string; readonly uri: string }> {
  const totp = await totpOf(secret, account);
  return { secret: totp.secret.base32, uri: totp.toString() };
}

/** The time step that `code` belongs to (RFC 6238 §4.2), or undefined for a wrong code. */
export async function stepOf(secret: Uint8Array, code: string, at: Date): Promise<number | undefined> {
  if (!/^\d{6}$/.test(code)) return undefined;
  const delta = (await totpOf(secret, "")).validate({ token: code, timestamp: at.getTime(), window });
  return delta === null ? undefined : Math.floor(at.getTime() / 1_000 / periodSeconds) + delta;
}

async function totpOf(bytes: Uint8Array, label: string): Promise<TOTP> {
  const { Secret, TOTP } = await import("otpauth");
  const secret = new Secret({ buffer: Uint8Array.from(bytes).buffer });
  return new TOTP({ issuer: "Keelson", label, algorithm: "SHA1", digits: 6, period: periodSeconds, secret });
}
