import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { z } from "zod";

/** The trail up to an entry, vouched for. With the hash of one entry all before it are fixed. */
export const checkpoint = z.object({
  seq: z.number().int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.iso.datetime(),
  keyId: z.string(),
  signature: z.string(),
});
export type Checkpoint = z.infer<typeof checkpoint>;

/** An Ed25519 key (RFC 8037). */
export const checkpointKey = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string() });
export type CheckpointKey = z.infer<typeof checkpointKey>;

const publicKeyBytes = 32;

type Unsigned = Omit<Checkpoint, "keyId" | "signature">;

/** What is signed: lines of text, as the checkpoints of transparency logs are (C2SP tlog-checkpoint). */
function statementOf({ seq, hash, at }: Unsigned): Buffer {
  return Buffer.from(`keelson/audit/v1\n${seq}\n${hash}\n${at}\n`);
}

/** SHA-256 of the public key, in hex: what somebody outside keeps, to know the key again. */
export function fingerprintOf({ x }: CheckpointKey): string {
  return createHash("sha256").update(Buffer.from(x, "base64url")).digest("hex");
}

/** `secret` is PKCS#8 in DER. */
export function generateCheckpointKey(): { readonly publicKey: CheckpointKey; readonly secret: Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicKey: checkpointKey.parse(publicKey.export({ format: "jwk" })),
    secret: privateKey.export({ format: "der", type: "pkcs8" }),
  };
}

/** Base64. */
export function signCheckpoint(unsigned: Unsigned, secret: Uint8Array): string {
  const key = createPrivateKey({ key: Buffer.from(secret), format: "der", type: "pkcs8" });
  return sign(null, statementOf(unsigned), key).toString("base64");
}

/** False as well for what is no key, and for other spellings of the same bytes. */
export function isSignedBy({ signature, ...unsigned }: Checkpoint, { kty, crv, x }: CheckpointKey): boolean {
  const [rawKey, rawSignature] = [Buffer.from(x, "base64url"), Buffer.from(signature, "base64")];
  if (rawKey.length !== publicKeyBytes || rawKey.toString("base64url") !== x || rawSignature.toString("base64") !== signature) return false;
  const key = createPublicKey({ key: { kty, crv, x }, format: "jwk" });
  return verify(null, statementOf(unsigned), key, rawSignature);
}
