import { z } from "@hono/zod-openapi";
import { linkToken } from "../passwords/schema.ts";
import { email, totp } from "../schema.ts";

export const verifyEmailRequest = z
  .strictObject({
    token: linkToken,
    disown: z.boolean().default(false).openapi({ description: "`true`: the sign-up was not mine. Closes the account instead" }),
  })
  .openapi("VerifyEmailRequest");
export const magicLinkRequest = z.strictObject({ email }).openapi("MagicLinkRequest");
export const verifyMagicLinkRequest = z.strictObject({ token: linkToken, totp: totp.optional() }).openapi("VerifyMagicLinkRequest");
