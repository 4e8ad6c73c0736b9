import { z } from "@hono/zod-openapi";
import { newSecret, notBoth, oneOwner, secret } from "../schema.ts";

const bytes = z.string().max(200_000).openapi({ description: "In the `encoding` that is given" });

/** A value as an older system kept it. */
const importRequest = newSecret
  .extend({
    format: z.literal("aes-256-cbc").openapi({ description: "AES-256 in CBC mode with PKCS#7 padding; the text in it is UTF-8" }),
    encoding: z
      .enum(["base64", "hex"])
      .default("base64")
      .openapi({ description: "Of all bytes here; base64 in either alphabet, with or without padding and line breaks" }),
    ciphertext: bytes,
    iv: bytes.max(64).openapi({ description: "16 bytes" }),
    key: bytes.max(128).openapi({ description: "32 bytes; used here and kept nowhere" }),
    hmac: z
      .strictObject({
        key: bytes.max(1_024),
        tag: bytes.max(128),
        over: z.enum(["iv+ciphertext", "ciphertext"]).default("iv+ciphertext"),
      })
      .optional()
      .openapi({ description: "HMAC-SHA-256 of the bytes; checked before anything is decrypted" }),
  })
  .refine(notBoth, oneOwner)
  .openapi("ImportedSecret");

export const importBody = z.union([importRequest, z.array(importRequest).min(1).max(100)]).openapi("ImportedSecrets");
export const importAnswer = z.object({ data: z.array(secret) }).openapi("ImportResult");
