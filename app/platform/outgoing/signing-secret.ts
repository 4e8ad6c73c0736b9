import { randomBytes } from "node:crypto";

/** Standard Webhooks: 24 to 64 random bytes, base64, after `whsec_`. */
const prefix = "whsec_";
const secretBytes = 32;

/** Signs what is sent to one receiver. */
export function newSigningSecret(): string {
  return `${prefix}${randomBytes(secretBytes).toString("base64")}`;
}
