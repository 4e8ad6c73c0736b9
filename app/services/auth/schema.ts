import { z } from "@hono/zod-openapi";
import { readableName, storableText } from "../../platform/text.ts";

/** What several parts of the service ask for or answer with. */
/** The length comes first: the expression behind it takes its time. */
export const email = storableText(254).pipe(z.email()).openapi({ example: "ada@example.com" });
/** Length is counted in characters, not bytes or UTF-16 units (OWASP ASVS 5.0, 6.2). */
export const newPassword = z
  .string()
  .refine((text) => [...text].length >= 8 && [...text].length <= 128, { error: "must have 8 to 128 characters" })
  .openapi({ example: "correct horse battery staple" });
/** A password that is only compared: bounded so that nobody has us hash a book. */
export const anyPassword = z.string().max(1_024);
export const totp = z.string().max(32).openapi({ description: "A code of the authenticator app, or a recovery code", example: "123456" });
export const personName = readableName(200).openapi({ example: "Ada Lovelace" });

export const user = z
  .object({
    id: z.string().openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }),
    email: z.string().openapi({ example: "ada@example.com" }),
    emailVerified: z.boolean(),
    name: z.string().nullable(),
    role: z.enum(["user", "admin"]),
    createdAt: z.iso.datetime(),
  })
  .openapi("User");

export const session = z
  .object({
    id: z.string().openapi({ example: "ses_0199f0a8c7d87d1b9c5f2f6d4b7a1e3d" }),
    userId: z.string().openapi({ description: "Who is active in it" }),
    ip: z.string().nullable(),
    device: z.string().openapi({ example: "Firefox on Linux" }),
    createdAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
  })
  .openapi("Session");

const tokens = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  tokenType: z.literal("Bearer"),
  expiresIn: z.number().int().openapi({ description: "Seconds the access token is good for", example: 900 }),
});

export const signedIn = tokens.extend({ user, session });
export type SignedIn = z.infer<typeof signedIn>;
/** As it is answered: with `X-Session-Transport: cookie` the two tokens are in cookies, which no script can read, and not in the body. */
export const signedInAnswer = signedIn.partial({ accessToken: true, refreshToken: true }).openapi("SignedIn", {
  description:
    "With `X-Session-Transport: cookie` the two tokens are in cookies and not here. Never kept for an `Idempotency-Key`: the same request sent again is a new one.",
});
