// First: the library below needs it while it loads.
import "./reflect-polyfill.ts";
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server";
import { COSEALG, decodeAttestationObject, decodeClientDataJSON } from "@simplewebauthn/server/helpers";
import { ceremonySeconds } from "./challenges.ts";
import type { RelyingParty } from "./relying-party.ts";
import type { AuthenticationResponse, RegistrationResponse } from "./schema.ts";
import type { PasskeyRow } from "./store.ts";

export type Ceremonies = ReturnType<typeof createCeremonies>;

/** What an authenticator has shown for a new passkey. */
export interface Registered {
  readonly credentialId: string;
  readonly publicKey: Uint8Array;
  readonly counter: number;
  readonly backedUp: boolean;
}

/** What all browsers and authenticators of today can do (WebAuthn Level 3 §5.4.3). */
const supportedAlgorithmIDs = [COSEALG.EdDSA, COSEALG.ES256, COSEALG.RS256];

/**
 * The two ceremonies of WebAuthn (Level 3 §7.1 and §7.2). Both ask for user verification: a passkey stands for two factors at once. The
 * verifying verbs resolve to undefined for whatever is not a right answer to the challenge.
 */
export function createCeremonies(relyingParty: RelyingParty) {
  const expected = (clientDataJSON: string, challenge: string) => {
    const { origin, crossOrigin } = decodeClientDataJSON(clientDataJSON);
    if (crossOrigin || !relyingParty.allows(origin)) throw new Error(`a page of ${origin} has no passkeys here`);
    return { expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: relyingParty.id, requireUserVerification: true };
  };

  return {
    registrationOptions: (user: {
      readonly id: string;
      readonly email: string;
      readonly name: string | null;
      readonly passkeys: readonly PasskeyRow[];
    }): Promise<PublicKeyCredentialCreationOptionsJSON> =>
      generateRegistrationOptions({
        rpName: "Keelson",
        rpID: relyingParty.id,
        userID: new TextEncoder().encode(user.id),
        userName: user.email,
        userDisplayName: user.name ?? user.email,
        timeout: ceremonySeconds * 1_000,
        attestationType: "none",
        excludeCredentials: user.passkeys.map(({ credentialId, transports }) => ({ id: credentialId, transports: [...transports] })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        supportedAlgorithmIDs,
      }),

    /** Names no credentials, so that it tells nobody who has one: the authenticator knows them. */
    authenticationOptions: (): Promise<PublicKeyCredentialRequestOptionsJSON> =>
      generateAuthenticationOptions({
        rpID: relyingParty.id,
        allowCredentials: [],
        timeout: ceremonySeconds * 1_000,
        userVerification: "required",
      }),

    verifyRegistration: ({ id, rawId, type, response }: RegistrationResponse, challenge: string): Promise<Registered | undefined> =>
      orUndefined(async () => {
        const { clientDataJSON, attestationObject } = response;
        assertWithoutCertificates(attestationObject);
        const { registrationInfo } = await verifyRegistrationResponse({
          ...expected(clientDataJSON, challenge),
          response: { id, rawId, type, response: { clientDataJSON, attestationObject }, clientExtensionResults: {} },
          supportedAlgorithmIDs,
        });
        if (!registrationInfo || registrationInfo.credential.id !== id) return undefined;
        const { credential, credentialBackedUp } = registrationInfo;
        return { credentialId: id, publicKey: credential.publicKey, counter: credential.counter, backedUp: credentialBackedUp };
      }),

    /** The counter is the caller's to compare: only once the signature is right does it say anything. */
    verifyAuthentication: (
      { id, rawId, type, response }: AuthenticationResponse,
      against: { readonly challenge: string; readonly passkey: PasskeyRow },
    ): Promise<{ readonly counter: number; readonly backedUp: boolean } | undefined> =>
      orUndefined(async () => {
        const { clientDataJSON, authenticatorData, signature, userHandle } = response;
        const { userId, credentialId, publicKey } = against.passkey;
        // Without a list of allowed credentials the authenticator has to say whose it is (WebAuthn Level 3 §7.2 step 6).
        if (!userHandle || Buffer.from(userHandle, "base64url").toString() !== userId) return undefined;
        const { verified, authenticationInfo } = await verifyAuthenticationResponse({
          ...expected(clientDataJSON, against.challenge),
          response: { id, rawId, type, response: { clientDataJSON, authenticatorData, signature }, clientExtensionResults: {} },
          credential: { id: credentialId, publicKey: Uint8Array.from(publicKey), counter: 0 },
        });
        return verified ? { counter: authenticationInfo.newCounter, backedUp: authenticationInfo.credentialBackedUp } : undefined;
      }),
  };
}

/**
 * We ask for no attestation, so a browser sends none or the authenticator's own signature. Checking a chain of certificates would fetch the
 * revocation lists that they name: addresses of the sender's choice.
 */
function assertWithoutCertificates(attestationObject: string): void {
  const decoded = decodeAttestationObject(Uint8Array.from(Buffer.from(attestationObject, "base64url")));
  const isPlain = decoded.get("fmt") === "none" || (decoded.get("fmt") === "packed" && decoded.get("attStmt").get("x5c") === undefined);
  if (!isPlain) throw new Error(`attestation "${decoded.get("fmt")}" was not asked for`);
}

/** The library throws for whatever is wrong with an answer, also for what cannot be read at all; all of it is a wrong answer. */
async function orUndefined<T>(verify: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await verify();
  } catch {
    return undefined;
  }
}
