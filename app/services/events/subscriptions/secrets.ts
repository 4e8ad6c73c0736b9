import { z } from "zod";
import type { Seal } from "../../../platform/seal.ts";

const signingSecret = z.object({ secret: z.string(), expiresAt: z.iso.datetime().optional() });
/** The newest first; the others sign until they expire. */
const signingSecrets = z.array(signingSecret).min(1);
export type SigningSecrets = z.infer<typeof signingSecrets>;

export function sealSecrets(seal: Pick<Seal, "seal">, subscriptionId: string, secrets: SigningSecrets): Uint8Array {
  return seal.seal(Buffer.from(JSON.stringify(secrets)), nameOf(subscriptionId));
}

/** Throws when they were sealed with another key-encryption key. */
export function openSecrets(
  seal: Pick<Seal, "open">,
  { id, secrets }: { readonly id: string; readonly secrets: Uint8Array },
): SigningSecrets {
  return signingSecrets.parse(JSON.parse(Buffer.from(seal.open(secrets, nameOf(id))).toString()));
}

function nameOf(subscriptionId: string): string {
  return `subscription:${subscriptionId}`;
}

/** Those that sign at this time. */
export function validSecrets(secrets: SigningSecrets, at: Date): string[] {
  return secrets.filter(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > at.getTime()).map(({ secret }) => secret);
}
