import { z } from "@hono/zod-openapi";
import { storableText } from "../../../platform/text.ts";
import { anyPassword, email, newPassword, personName, signedInAnswer, totp, user } from "../schema.ts";

const newAccount = z.strictObject({ email, password: newPassword, name: personName.optional() });
export const signupRequest = newAccount
  .extend({
    invitation: z
      .string()
      .max(128)
      .optional()
      .openapi({ description: "The token of an invitation to this address, which gives the role and verifies the address" }),
  })
  .openapi("SignupRequest");
export const setupRequest = newAccount.extend({ token: z.string().max(128) }).openapi("SetupRequest");
export const loginRequest = z
  .strictObject({ email: storableText(254), password: anyPassword, totp: totp.optional() })
  .openapi("LoginRequest");
export const updateMeRequest = z.strictObject({ name: personName.nullable().optional() }).openapi("UpdateMeRequest");
export const userAnswer = z.object({ user });
/** Without a session where the address must be verified first. */
export const signedUp = z.union([signedInAnswer, userAnswer]).openapi("SignedUp");
