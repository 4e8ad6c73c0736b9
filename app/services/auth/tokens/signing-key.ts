import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";

/** What access tokens may be signed with (RFC 7518 §3.1, RFC 8037 §3.1). */
export const signingAlgorithms = ["EdDSA", "ES256", "RS256"] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateJwk: JWK;
  readonly publicJwk: JWK;
}

/** A fresh key pair; its `kid` is the thumbprint of the public half (RFC 7638). */
export async function generateSigningKey(algorithm: SigningAlgorithm): Promise<SigningKey> {
  const options = algorithm === "EdDSA" ? { crv: "Ed25519" } : algorithm === "RS256" ? { modulusLength: 2_048 } : {};
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { ...options, extractable: true });
  const publicPart = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicPart);
  return { kid, algorithm, privateJwk: await exportJWK(privateKey), publicJwk: { ...publicPart, kid, alg: algorithm, use: "sig" } };
}

/** A key that only its own algorithm can use (RFC 8725 §3.1). */
export async function importCryptoKey(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new Error("expected an asymmetric key");
  return key;
}
