import { z } from "zod";
import type { Seal } from "../../platform/seal.ts";

/** A mail in plain text. */
export const mail = z.object({ to: z.string(), subject: z.string(), text: z.string() });
export type Mail = Readonly<z.infer<typeof mail>>;

const boundTo = "mail";

export function sealMail(seal: Seal, message: Mail): string {
  return Buffer.from(seal.seal(Buffer.from(JSON.stringify(message)), boundTo)).toString("base64");
}

/** Throws when it was sealed with another key-encryption key. */
export function openMail(seal: Seal, sealed: string): Mail {
  return mail.parse(JSON.parse(Buffer.from(seal.open(Buffer.from(sealed, "base64"), boundTo)).toString()));
}
