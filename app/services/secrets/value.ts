import { z } from "zod";
import { Problem } from "../../platform/errors.ts";

/** A text, or texts by the name of their field. */
export type SecretValue = string | Readonly<Record<string, string>>;

const valueBytesMax = 65_536;
const stored = z.union([z.string(), z.record(z.string(), z.string())]);

/** As UTF-8 of a text, or of the JSON of fields. Throws `Problem` (`payload_too_large`) past 64 KiB. */
export function encodeValue(value: SecretValue): Uint8Array {
  const plain = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  if (plain.length > valueBytesMax)
    throw new Problem("payload_too_large", { detail: `A value has at most ${valueBytesMax} bytes of UTF-8.` });
  return plain;
}

/** `fields` says which of the two it is: a text may look like JSON. */
export function decodeValue(plain: Uint8Array, fields: readonly string[] | null): SecretValue {
  const text = Buffer.from(plain.buffer, plain.byteOffset, plain.length).toString();
  return fields === null ? text : stored.parse(JSON.parse(text));
}

export function fieldsOf(value: SecretValue): string[] | null {
  return typeof value === "string" ? null : Object.keys(value);
}
