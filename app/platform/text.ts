import { z } from "zod";

/** Text that PostgreSQL can store: `text` columns take no NUL. */
export function storableText(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .refine((text) => !text.includes("\0"), { error: "must not contain the NUL character" });
}

/** A name as others read it: one line, and nothing unseen that changes how it reads. The two joiners stay: real names and emoji are written with them. */
export function readableName(lengthMax: number) {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^(?:[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\u200c|\u200d)*$/u, {
      error: "must not contain line breaks, control or formatting characters",
    });
}
