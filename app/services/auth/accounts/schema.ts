import { z } from "@hono/zod-openapi";
import { storableText } from "../../../platform/text.ts";
import { anyPassword, email, newPassword, personName, signedInAnswer, totp, user } from "../schema.ts";

export const signupRequest = z.strictObject({ email, password: newPassword, name: personName.optional() }).openapi("SignupRequest");
export const setupRequest = signupRequest.extend({ token: z.string().max(128) }).openapi("SetupRequest");
export const loginRequest = z
  .strictObject({ email: storableText(254), password: anyPassword, totp: totp.optional() })
  .openapi("LoginRequest");
export const updateMeRequest = z.strictObject({ name: personName.nullable().optional() }).openapi("UpdateMeRequest");
export const userAnswer = z.object({ user });
/** Without a session where the address must be verified first. */
export const signedUp = z.union([signedInAnswer, userAnswer]).openapi("SignedUp");
