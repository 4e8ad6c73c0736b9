import { z } from "@hono/zod-openapi";
import { anyPassword, email, newPassword, personName, signedIn, totp, user } from "../schema.ts";

export const signupRequest = z.strictObject({ email, password: newPassword, name: personName.optional() }).openapi("SignupRequest");
export const setupRequest = signupRequest.extend({ token: z.string().max(128) }).openapi("SetupRequest");
export const loginRequest = z
  .strictObject({ email: z.string().max(254), password: anyPassword, totp: totp.optional() })
  .openapi("LoginRequest");
export const updateMeRequest = z.strictObject({ name: personName.nullable().optional() }).openapi("UpdateMeRequest");
export const userAnswer = z.object({ user });
/** Without a session where the address must be verified first. */
export const signedUp = z.union([signedIn, userAnswer]).openapi("SignedUp");
