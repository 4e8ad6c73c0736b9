import { expect, test } from "bun:test";
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isoCBOR } from "@simplewebauthn/server/helpers";
import { createCeremonies } from "./ceremonies.ts";
import { relyingPartyOf } from "./relying-party.ts";
import type { PasskeyRow } from "./store.ts";

const publicUrl = "https://example.com";
const challenge = randomBytes(32).toString("base64url");
const { verifyRegistration, verifyAuthentication } = createCeremonies(relyingPartyOf({ publicUrl, corsOrigins: [] }));
const sha256 = (data: Uint8Array | string) => createHash("sha256").update(data).digest();

/** Self-signed, as an authenticator of a batch has one: version 3, no authority, the names that WebAuthn Level 3 §8.2.1 asks for, good until 2126. */
const batch = {
  certificate: Buffer.from(
    "MIIB8TCCAZigAwIBAgIUaWycqcf+T1DcoQMk9rMghnxuwiMwCgYIKoZIzj0EAwIwTzELMAkGA1UEBhMCREUxDTALBgNVBAoMBFRlc3QxIjAgBgNVBAsMGUF1dGhlbnRpY2F0b3IgQXR0ZXN0YXRpb24xDTALBgNVBAMMBFRlc3QwIBcNMjYxMTIzMDY0MzE4WhgPMjEyNjEwMzAwNjQzMThaME8xCzAJBgNVBAYTAkRFMQ0wCwYDVQQKDARUZXN0MSIwIAYDVQQLDBlBdXRoZW50aWNhdG9yIEF0dGVzdGF0aW9uMQ0wCwYDVQQDDARUZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEy2xsm9WsFtcvKlTBSNG+SKXYltTB+IonbQVbBkvqF0aYYCQVAP/FCbCmmBkeL2YlOU+2LB2dh1IbARQATrYbs6NQME4wHQYDVR0OBBYEFMTt1hl9mz0G2+1RRLTUdsEX2SLIMB8GA1UdIwQYMBaAFMTt1hl9mz0G2+1RRLTUdsEX2SLIMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDRwAwRAIgN4gP52NVIumQ0DFpRT8L84vPrDhAs0extRUkp619FE4CIAZ9rUsHVT7iTsNdbLXPL2t1Px3iRXkNRiW+AMFHLfQH",
    "base64",
  ),
  key: createPrivateKey({
    key: Buffer.from(
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguD2lN7l6M/ZUofbsg88b//4Np+kDiGfgp3dlkYWMXUqhRANCAATLbGyb1awW1y8qVMFI0b5IpdiW1MH4iidtBVsGS+oXRphgJBUA/8UJsKaYGR4vZiU5T7YsHZ2HUhsBFABOthuz",
      "base64",
    ),
    format: "der",
    type: "pkcs8",
  }),
};

/** An authenticator without a browser around it: it signs whatever the page is said to be. */
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const credentialId = randomBytes(32);
const { x = "", y = "" } = pair.publicKey.export({ format: "jwk" });
const publicKey = isoCBOR.encode(
  new Map<number, number | Uint8Array>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, Uint8Array.from(Buffer.from(x, "base64url"))],
    [-3, Uint8Array.from(Buffer.from(y, "base64url"))],
  ]),
);
const userPresentAndVerified = 0x05;
const attestedCredential = 0x40;

/** WebAuthn Level 3 §6.1. */
function authenticatorData(flags: number, ...more: readonly Uint8Array[]): Buffer {
  return Buffer.concat([sha256("example.com"), Buffer.from([flags]), Buffer.alloc(4), ...more]);
}

const clientData = (type: string, more: object = {}) =>
  Buffer.from(JSON.stringify({ type, challenge, origin: publicUrl, crossOrigin: false, ...more }));

type Statement = (signed: Buffer) => ReadonlyMap<string, unknown>;
const none: Statement = () => new Map();
const packed =
  (key: KeyObject, more: readonly (readonly [string, unknown])[] = []): Statement =>
  (signed) =>
    new Map<string, unknown>([["alg", -7], ["sig", Uint8Array.from(sign("sha256", signed, key))], ...more]);

function registration({
  page = {},
  statement = none,
  id = credentialId,
}: {
  readonly page?: object;
  readonly statement?: Statement;
  readonly id?: Buffer;
}) {
  const clientDataJSON = clientData("webauthn.create", page);
  const idLength = Buffer.from([0, credentialId.length]);
  const authData = authenticatorData(userPresentAndVerified | attestedCredential, Buffer.alloc(16), idLength, credentialId, publicKey);
  const attestation = new Map<string, unknown>([
    ["fmt", statement === none ? "none" : "packed"],
    ["attStmt", statement(Buffer.concat([authData, sha256(clientDataJSON)]))],
    ["authData", Uint8Array.from(authData)],
  ]);
  const response = {
    clientDataJSON: clientDataJSON.toString("base64url"),
    attestationObject: Buffer.from(isoCBOR.encode(attestation as Parameters<typeof isoCBOR.encode>[0])).toString("base64url"),
  };
  const shown = id.toString("base64url");
  return verifyRegistration({ id: shown, rawId: shown, type: "public-key", response }, challenge);
}

test.each<readonly [string, boolean, Parameters<typeof registration>[0]]>([
  ["no attestation", true, {}],
  ["the authenticator's own signature", true, { statement: packed(pair.privateKey) }],
  ["another's signature", false, { statement: packed(batch.key) }],
  ["a chain of certificates, although it holds", false, { statement: packed(batch.key, [["x5c", [Uint8Array.from(batch.certificate)]]]) }],
  ["a page of ours in a frame of another site", false, { page: { crossOrigin: true } }],
  ["another site's page", false, { page: { origin: "https://evil.example" } }],
  ["another challenge", false, { page: { challenge: "AAAA" } }],
  ["the ceremony of a log-in", false, { page: { type: "webauthn.get" } }],
  ["another id than the one that is signed", false, { id: randomBytes(32) }],
])("a registration with %s: taken is %p", async (_, taken, parts) => {
  const registered = await registration(parts);
  expect(registered?.credentialId).toBe(taken ? credentialId.toString("base64url") : undefined);
});

const passkey: PasskeyRow = {
  id: "pky_0",
  userId: "usr_0",
  credentialId: credentialId.toString("base64url"),
  publicKey: Buffer.from(publicKey),
  counter: 0,
  transports: [],
  name: "Test",
  backedUp: false,
  createdAt: new Date(),
  lastUsedAt: null,
};

function authentication({ page = {}, userId = passkey.userId }: { readonly page?: object; readonly userId?: string }) {
  const clientDataJSON = clientData("webauthn.get", page);
  const authData = authenticatorData(userPresentAndVerified);
  const signature = sign("sha256", Buffer.concat([authData, sha256(clientDataJSON)]), pair.privateKey);
  const { credentialId: id } = passkey;
  const response = {
    clientDataJSON: clientDataJSON.toString("base64url"),
    authenticatorData: authData.toString("base64url"),
    signature: signature.toString("base64url"),
    userHandle: Buffer.from(userId).toString("base64url"),
  };
  return verifyAuthentication({ id, rawId: id, type: "public-key", response }, { challenge, passkey });
}

test.each<readonly [string, boolean, Parameters<typeof authentication>[0]]>([
  ["from our page", true, {}],
  ["from a page of ours in a frame of another site", false, { page: { crossOrigin: true } }],
  ["from another site's page", false, { page: { origin: "https://evil.example" } }],
  ["for another user", false, { userId: "usr_other" }],
])("a log-in %s: taken is %p", async (_, taken, parts) => {
  expect((await authentication(parts)) !== undefined).toBe(taken);
});
