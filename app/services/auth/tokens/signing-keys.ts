import type { CryptoKey, JWK } from "jose";
import type { Now } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Seal } from "../../../platform/seal.ts";
import { generateSigningKey, importCryptoKey, type SigningAlgorithm } from "./signing-key.ts";
import type { SigningKeyRow, TokenStore } from "./store.ts";

export interface SigningKeyDeps {
  readonly store: Pick<TokenStore, "rotating" | "insertSigningKey" | "signingKeys" | "deleteSigningKeys">;
  readonly seal: Seal;
  readonly algorithm: SigningAlgorithm;
  /** How long one key signs before the next one takes over. */
  readonly rotateDays: number;
  readonly now: Now;
  readonly log: Logger;
}

/** A new key is shown this long before it signs; the key set may be kept for `keySetMaxAgeSeconds`. */
const aheadMs = 600_000;
export const keySetMaxAgeSeconds = 300;
const dayMs = 86_400_000;
/** A key outlives its last signature by more than the longest life of an access token (one day), and by the time in which every copy has looked. */
const overlapDays = 3;

interface Signer {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly key: CryptoKey;
  readonly createdAt: Date;
  readonly signsFrom: Date;
}

export type SigningKeys = Awaited<ReturnType<typeof openSigningKeys>>;

/**
 * The keys of this installation, in the database: private halves sealed with the key-encryption key. A copy signs with the newest key whose time
 * has come and that it can open, and makes one when there is none.
 */
export async function openSigningKeys(deps: SigningKeyDeps) {
  const { store, algorithm, rotateDays, now, log } = deps;
  let signers: readonly Signer[] = [];

  const isDue = (newest: Signer | undefined) => !newest || now().getTime() - newest.createdAt.getTime() >= rotateDays * dayMs;

  const rotate = async (): Promise<undefined> => {
    signers = await openSigners(deps, await store.signingKeys());
    if (isDue(signers.at(-1))) await makeKey();
  };

  const makeKey = () =>
    store.rotating(async (on) => {
      signers = await openSigners(deps, await store.signingKeys(on));
      if (!isDue(signers.at(-1))) return;
      const { kid, privateJwk, publicJwk } = await generateSigningKey(algorithm);
      const createdAt = now();
      const signsFrom = signers.length === 0 ? createdAt : new Date(createdAt.getTime() + aheadMs);
      const privateKey = deps.seal.seal(Buffer.from(JSON.stringify(privateJwk)), nameOf(kid));
      await store.insertSigningKey({ kid, algorithm, publicJwk, privateKey, createdAt, signsFrom }, on);
      signers = [...signers, { kid, algorithm, key: await importCryptoKey(privateJwk, algorithm), createdAt, signsFrom }];
      log.info({ kid, algorithm, signsFrom }, "made a signing key");
    });

  await rotate();
  return {
    /** The key that signs now. */
    current: (): Signer => {
      const at = now();
      const signer = signers.findLast(({ signsFrom }) => signsFrom <= at) ?? signers[0];
      if (!signer) throw new Error("there is no signing key");
      return signer;
    },
    /** The public halves of all copies' keys, the coming one too. */
    publicKeys: async (): Promise<JWK[]> => (await store.signingKeys()).map(({ publicJwk }) => publicJwk),
    /** Makes the next key when the newest is old enough, and learns of those that other copies made. */
    rotate,
    /** Returns how many went. */
    purge: () => store.deleteSigningKeys(new Date(now().getTime() - (rotateDays + overlapDays) * dayMs)),
  };
}

/** In the order they were made; those of another algorithm, or of a copy with another key-encryption key, are not ours to sign with. */
async function openSigners({ seal, algorithm, log }: SigningKeyDeps, rows: readonly SigningKeyRow[]): Promise<Signer[]> {
  const signers: Signer[] = [];
  for (const { privateKey, ...row } of rows) {
    if (!privateKey || row.algorithm !== algorithm) continue;
    const jwk = unseal(seal, privateKey, nameOf(row.kid));
    if (jwk) signers.push({ ...row, key: await importCryptoKey(jwk, algorithm) });
    else log.debug({ kid: row.kid }, "a signing key does not open with the keys of this copy: it verifies, but does not sign here");
  }
  return signers;
}

function nameOf(kid: string): string {
  return `signing-key:${kid}`;
}

function unseal(seal: Seal, sealed: Uint8Array, boundTo: string): JWK | undefined {
  try {
    const jwk: JWK = JSON.parse(Buffer.from(seal.open(sealed, boundTo)).toString());
    return jwk;
  } catch {
    return undefined;
  }
}
