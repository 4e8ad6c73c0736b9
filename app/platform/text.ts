import { z } from "zod";

/** Text that PostgreSQL can store: `text` columns take no NUL. */
export function storableText(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .refine((text) => !text.includes("\0"), { error: "must not contain the NUL character" });
}
