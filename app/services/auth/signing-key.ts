import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { SecretShape } from "../../platform/data-folder.ts";

export const signingAlgorithm = "EdDSA";

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** How the data folder keeps the key that signs access tokens: an Ed25519 JWK (RFC 8037). */
export const signingKeySecret: SecretShape = {
  generate: async () => {
    const { privateKey } = await generateKeyPair(signingAlgorithm, { crv: "Ed25519", extractable: true });
    return JSON.stringify(await exportJWK(privateKey));
  },
  isWellFormed: (text) => parsePrivateJwk(text) !== undefined,
};

/** Reads what `signingKeySecret` made; the `kid` is its thumbprint (RFC 7638). */
export async function importSigningKey(secret: string): Promise<SigningKey> {
  const jwk = parsePrivateJwk(secret);
  if (!jwk) throw new Error("the signing key is not an Ed25519 JWK");
  const { d: _private, ...publicPart } = jwk;
  const kid = await calculateJwkThumbprint(publicPart);
  const publicJwk = { ...publicPart, kid, alg: signingAlgorithm, use: "sig" };
  return { kid, privateKey: await importCryptoKey(jwk), publicJwk };
}

export async function importCryptoKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, signingAlgorithm);
  if (key instanceof Uint8Array) throw new Error("expected an asymmetric key");
  return key;
}

function parsePrivateJwk(text: string): JWK | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { kty, crv, x, d } = value as JWK;
    return kty === "OKP" && crv === "Ed25519" && x && d ? { kty, crv, x, d } : undefined;
  } catch {
    return undefined;
  }
}
