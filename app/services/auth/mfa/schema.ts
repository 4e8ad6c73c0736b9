import { z } from "@hono/zod-openapi";

export const totpSetup = z
  .object({
    secret: z.string().openapi({ description: "Base32, for those who cannot scan", example: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" }),
    uri: z.string().openapi({ description: "What the QR code holds", example: "otpauth://totp/Keelson:ada%40example.com?secret=…" }),
  })
  .openapi("TotpSetup");
export const totpCodeRequest = z.strictObject({ code: z.string().max(16).openapi({ example: "123456" }) }).openapi("TotpCodeRequest");
export const recoveryCodesAnswer = z
  .object({
    recoveryCodes: z.array(z.string()).openapi({ description: "Shown once; each works once", example: ["k7m2p-q9rst-…"] }),
  })
  .openapi("RecoveryCodes");
