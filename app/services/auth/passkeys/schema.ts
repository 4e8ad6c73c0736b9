import { z } from "@hono/zod-openapi";
import type { PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON } from "@simplewebauthn/server";
import { storableText } from "../../../platform/text.ts";

const base64url = (lengthMax: number) =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^[\w-]+$/, { error: "must be base64url" });

const challengeToken = z.string().min(1).max(128).openapi({ description: "From the answer with the options" });
/** At most 1023 bytes (WebAuthn Level 3 §5.8.3). */
const credentialId = base64url(1_364);
const clientData = base64url(8_192);

/** Browsers make these and add members as the standard grows, so unknown ones are left aside (WebAuthn Level 3 §5.1.8). */
export const registrationResponse = z
  .object({
    id: credentialId,
    rawId: credentialId,
    type: z.literal("public-key"),
    response: z.object({
      clientDataJSON: clientData,
      attestationObject: base64url(16_384),
      transports: z
        .array(z.string().regex(/^[a-z-]{1,32}$/))
        .max(16)
        .optional(),
    }),
  })
  .openapi("PasskeyRegistrationResponse", { description: "`credential.toJSON()` of what `navigator.credentials.create` gave" });

export const authenticationResponse = z
  .object({
    id: credentialId,
    rawId: credentialId,
    type: z.literal("public-key"),
    response: z.object({
      clientDataJSON: clientData,
      authenticatorData: base64url(4_096),
      signature: base64url(8_192),
      userHandle: base64url(128).nullish(),
    }),
  })
  .openapi("PasskeyAuthenticationResponse", { description: "`credential.toJSON()` of what `navigator.credentials.get` gave" });

export type RegistrationResponse = z.infer<typeof registrationResponse>;
export type AuthenticationResponse = z.infer<typeof authenticationResponse>;

const passkeyName = storableText(100).min(1).openapi({ example: "Work laptop" });

export const registerRequest = z
  .strictObject({ challengeToken, response: registrationResponse, name: passkeyName.optional() })
  .openapi("RegisterPasskeyRequest");
export const authenticateRequest = z
  .strictObject({ challengeToken, response: authenticationResponse })
  .openapi("AuthenticatePasskeyRequest");

export const registrationOptions = z
  .object({
    options: z
      .custom<PublicKeyCredentialCreationOptionsJSON>()
      .openapi({ type: "object", description: "For `PublicKeyCredential.parseCreationOptionsFromJSON`" }),
    challengeToken: z.string(),
  })
  .openapi("PasskeyRegistrationOptions");
export const authenticationOptions = z
  .object({
    options: z
      .custom<PublicKeyCredentialRequestOptionsJSON>()
      .openapi({ type: "object", description: "For `PublicKeyCredential.parseRequestOptionsFromJSON`" }),
    challengeToken: z.string(),
  })
  .openapi("PasskeyAuthenticationOptions");

const passkey = z
  .object({
    id: z.string().openapi({ example: "pky_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }),
    name: passkeyName,
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().nullable(),
    backedUp: z.boolean().openapi({ description: "It is kept by a provider and outlives the device" }),
  })
  .openapi("Passkey");
export type PasskeyView = z.infer<typeof passkey>;
export const passkeyAnswer = z.object({ passkey }).openapi("PasskeyAnswer");
export const passkeyList = z.object({ data: z.array(passkey), nextCursor: z.null() }).openapi("PasskeyList");
