import { z } from "@hono/zod-openapi";
import { storableText } from "../../platform/text.ts";

const email = z.email().max(254).openapi({ example: "ada@example.com" });
/** Length is counted in characters, not bytes or UTF-16 units (OWASP ASVS 5.0, 6.2). */
const newPassword = z
  .string()
  .refine((text) => [...text].length >= 8 && [...text].length <= 128, { error: "must have 8 to 128 characters" })
  .openapi({ example: "correct horse battery staple" });
const name = storableText(200).min(1).openapi({ example: "Ada Lovelace" });

export const signupRequest = z.strictObject({ email, password: newPassword, name: name.optional() }).openapi("SignupRequest");
export const setupRequest = signupRequest.extend({ token: z.string().max(128) }).openapi("SetupRequest");
export const loginRequest = z
  .strictObject({ email: z.string().max(254), password: z.string().max(1_024), totp: z.string().max(16).optional() })
  .openapi("LoginRequest");
export const refreshRequest = z.strictObject({ refreshToken: z.string().max(256) }).openapi("RefreshRequest");

export const user = z
  .object({
    id: z.string().openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }),
    email: z.string(),
    name: z.string().nullable(),
    role: z.enum(["user", "admin"]),
    createdAt: z.iso.datetime(),
  })
  .openapi("User");

export const session = z
  .object({
    id: z.string(),
    userId: z.string(),
    ip: z.string().nullable(),
    device: z.string().nullable().openapi({ description: "The User-Agent it was opened with" }),
    createdAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
  })
  .openapi("Session");

const tokens = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  tokenType: z.literal("Bearer"),
  expiresIn: z.number().int().openapi({ description: "Seconds the access token is good for" }),
});

export const signedIn = tokens.extend({ user, session }).openapi("SignedIn");
export const sessionAnswer = z
  .object({ session, activeUserId: z.string(), users: z.array(user.pick({ id: true, email: true, name: true, role: true })) })
  .openapi("SessionAnswer");
export const userAnswer = z.object({ user });
