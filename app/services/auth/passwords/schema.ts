import { z } from "@hono/zod-openapi";
import { anyPassword, email, newPassword } from "../schema.ts";

export const linkToken = z.string().max(128).openapi({ description: "From the link in the mail" });
export const accepted = z.object({}).openapi("Accepted");

export const changePasswordRequest = z
  .strictObject({ currentPassword: anyPassword.optional(), newPassword })
  .openapi("ChangePasswordRequest", { description: "`currentPassword` is required for an account that has a password." });
export const forgotPasswordRequest = z.strictObject({ email }).openapi("ForgotPasswordRequest");
export const resetPasswordRequest = z.strictObject({ token: linkToken, newPassword }).openapi("ResetPasswordRequest");
