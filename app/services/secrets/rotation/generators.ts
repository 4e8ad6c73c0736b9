import { generateKeyPair, type KeyObject, randomInt } from "node:crypto";
import { promisify } from "node:util";
import type { Generator } from "../../../../db/schema/rotation.ts";
import type { SecretValue } from "../value.ts";
import type { CallOut } from "./call-out.ts";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** `printable` leaves out what references, shells and configuration files read as something else. */
export const lettersOf = {
  base64url: `${letters}0123456789-_`,
  hex: "0123456789abcdef",
  alphanumeric: `${letters}0123456789`,
  digits: "0123456789",
  printable: `${letters}0123456789!#%&()*+,-./:;<=>?@[]^_{|}~`,
} as const;

const pair = promisify(generateKeyPair);
type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

/** The next value. A call-out that is asked again for the same rotation is to answer the same. Rejects when it does not answer one. */
export async function generate(generator: Generator, callOut: CallOut): Promise<SecretValue> {
  switch (generator.kind) {
    case "random":
      return generator.prefix + randomText(generator.length, lettersOf[generator.alphabet]);
    case "key_pair":
      return fieldsOf(await generatePair(generator.algorithm));
    case "webhook":
      return callOut.generate(generator.url);
    default:
      return generator satisfies never;
  }
}

/** Each letter as likely as any other. */
function randomText(length: number, from: string): string {
  return Array.from({ length }, () => from[randomInt(from.length)]).join("");
}

function generatePair(algorithm: Extract<Generator, { kind: "key_pair" }>["algorithm"]): Promise<Pair> {
  switch (algorithm) {
    case "ed25519":
      return pair("ed25519");
    case "ec-p256":
      return pair("ec", { namedCurve: "P-256" });
    case "rsa-2048":
      return pair("rsa", { modulusLength: 2_048 });
    case "rsa-4096":
      return pair("rsa", { modulusLength: 4_096 });
    default:
      return algorithm satisfies never;
  }
}

function fieldsOf({ publicKey, privateKey }: Pair): Record<string, string> {
  return {
    privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    publicKey: publicKey.export({ format: "pem", type: "spki" }).toString(),
    publicJwk: JSON.stringify(publicKey.export({ format: "jwk" })),
  };
}
