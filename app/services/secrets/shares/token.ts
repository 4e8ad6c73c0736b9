import { createHash, hkdfSync } from "node:crypto";
import { z } from "zod";
import { createSeal, type Seal } from "../../../platform/seal.ts";
import type { SecretValue } from "../value.ts";

const shared = z.object({ value: z.union([z.string(), z.record(z.string(), z.string())]) });

export interface SharePlace {
  readonly id: string;
  readonly secretId: string;
  readonly version: number;
}

/** What the database knows of a token; its key does not follow from it. */
export function hashShareToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** Seals under a key that only the token gives (HKDF, RFC 5869), so that neither the database nor the keys of the installation open it. */
export function sealShare(token: string, place: SharePlace, value: SecretValue): Uint8Array {
  return sealOf(token).seal(Buffer.from(JSON.stringify({ value })), bindingOf(place));
}

/** Throws when it was altered, or is another link's. */
export function openShare(token: string, place: SharePlace, sealed: Uint8Array): SecretValue {
  return shared.parse(JSON.parse(Buffer.from(sealOf(token).open(sealed, bindingOf(place))).toString())).value;
}

function sealOf(token: string): Seal {
  return createSeal(new Uint8Array(hkdfSync("sha256", token, "", "keelson secret share", 32)));
}

function bindingOf({ id, secretId, version }: SharePlace): string {
  return JSON.stringify(["share", id, secretId, version]);
}
