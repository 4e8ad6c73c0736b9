import { z } from "@hono/zod-openapi";
import { signedInAnswer, totp } from "../schema.ts";

const returnTo = z
  .string()
  .max(4_000)
  .optional()
  .openapi({ description: "Where the browser goes afterwards: a path here, or a URL of an allowed origin", example: "/welcome" });

export const providerParams = z.object({ provider: z.string().max(64).openapi({ example: "google" }) });
export const beginQuery = z
  .object({
    returnTo,
    codeChallenge: z
      .string()
      .regex(/^[\w-]{43}$/, { error: "expected the SHA-256 of a code verifier in base64url" })
      .optional()
      .openapi({
        description: "Recommended with `returnTo`: the code that comes back is good only together with its verifier (RFC 7636, S256)",
        example: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      }),
  })
  .refine((query) => query.codeChallenge === undefined || query.returnTo !== undefined, {
    path: ["codeChallenge"],
    error: "expected only together with returnTo: without it there is no code to exchange",
  });
export const callbackQuery = z.object({
  state: z.string().max(128).openapi({ example: "mE1vXbQ0k9hYcT7rP2sL5uW8zA3dF6gJ4nB0qV1xC_o" }),
  code: z.string().max(4_096).optional().openapi({ example: "SplxlOBeZQQYbYS6WxSbIA" }),
  iss: z.string().max(2_048).optional().openapi({ description: "RFC 9207", example: "https://accounts.google.com" }),
  error: z.string().max(256).optional().openapi({ example: "access_denied" }),
});
export const exchangeRequest = z
  .strictObject({
    code: z
      .string()
      .max(128)
      .openapi({ description: "From the fragment that the browser came back with, or `exchangeCode`", example: "9l0cXn…" }),
    codeVerifier: z
      .string()
      .regex(/^[\w.~-]{43,128}$/, { error: "expected 43 to 128 of A-Z, a-z, 0-9, -, ., _ and ~" })
      .optional()
      .openapi({
        description: "Required when the log-in began with `codeChallenge`",
        example: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
      }),
    totp: totp.optional(),
  })
  .openapi("OauthExchangeRequest");
export const linkRequest = z.strictObject({ returnTo }).openapi("OauthLinkRequest");
export const linkAnswer = z
  .object({ url: z.string().openapi({ description: "Send the browser there", example: "https://accounts.google.com/o/oauth2/v2/auth?…" }) })
  .openapi("OauthLinkAnswer");

const identity = z
  .object({
    provider: z.string().openapi({ example: "google" }),
    email: z.string().nullable().openapi({ description: "At the provider, when it was linked", example: "ada@example.com" }),
    createdAt: z.iso.datetime(),
  })
  .openapi("Identity");
export const identityList = z.object({ data: z.array(identity), nextCursor: z.null() }).openapi("IdentityList");
export const callbackAnswer = z.union([signedInAnswer, identity]);
