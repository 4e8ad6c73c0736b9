import { createHash } from "node:crypto";
import { createSeal, type Seal } from "../../../platform/seal.ts";
import { type SignedIn, signedIn } from "../schema.ts";

export type KeptAnswers = ReturnType<typeof createKeptAnswers>;

/** What used refresh tokens were exchanged for. An answer has the next token in it, so the table alone must not give it away. */
export function createKeptAnswers(seal: Seal) {
  return {
    /** Opens only for who shows the token that it was given for. */
    sealFor: (refreshToken: string, answer: SignedIn): Uint8Array => sealOf(refreshToken).seal(toBytes(answer), boundTo),

    /** For a token that was not shown: what it was is known to nobody here, so it opens with the installation's key. */
    sealForAny: (answer: SignedIn): Uint8Array => seal.seal(toBytes(answer), boundTo),

    /** Undefined when it was sealed by a copy with another key-encryption key. */
    open: (refreshToken: string, kept: Uint8Array): SignedIn | undefined => {
      const bytes = tryOpen(sealOf(refreshToken), kept) ?? tryOpen(seal, kept);
      return bytes && signedIn.parse(JSON.parse(Buffer.from(bytes).toString()));
    },
  };
}

const boundTo = "refresh-answer";

function toBytes(answer: SignedIn): Uint8Array {
  return Buffer.from(JSON.stringify(answer));
}

function sealOf(refreshToken: string): Seal {
  return createSeal(createHash("sha256").update(`keelson refresh answer\0${refreshToken}`).digest());
}

function tryOpen(seal: Seal, kept: Uint8Array): Uint8Array | undefined {
  try {
    return seal.open(kept, boundTo);
  } catch {
    return undefined;
  }
}
