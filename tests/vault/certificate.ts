import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Authority {
  /** PEM. */
  readonly cert: string;
  /** A key and a certificate for 127.0.0.1 and localhost, both PEM. */
  issue(): { readonly key: string; readonly cert: string };
}

/** A certificate authority that exists for one test (X.509 v3, RFC 5280, P-256). */
export function createAuthority(): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = `test authority ${randomBytes(4).toString("hex")}`;
  const certify = (subject: string, subjectKey: KeyObject, extensions: readonly Buffer[]) => {
    const body = toBeSigned({ issuer: name, subject, subjectKey, extensions });
    return toPem("CERTIFICATE", sequence(body, ecdsaSha256, bitString(sign("sha256", body, privateKey))));
  };
  return {
    cert: certify(name, publicKey, [basicConstraints(true)]),
    issue: () => {
      const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return {
        key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        cert: certify("localhost", own.publicKey, [basicConstraints(false), subjectAltName]),
      };
    },
  };
}

interface Body {
  readonly issuer: string;
  readonly subject: string;
  readonly subjectKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

function toBeSigned({ issuer, subject, subjectKey, extensions }: Body): Buffer {
  const spki = createPublicKey(subjectKey.export({ type: "spki", format: "pem" })).export({ type: "spki", format: "der" });
  const valid = sequence(utcTime(Date.now() - 3_600_000), utcTime(Date.now() + 86_400_000));
  const version3 = tagged(0xa0, tagged(0x02, Buffer.from([2])));
  const serial = tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]));
  return sequence(version3, serial, ecdsaSha256, nameOf(issuer), valid, nameOf(subject), spki, tagged(0xa3, sequence(...extensions)));
}

function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function bitString(bytes: Uint8Array): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

function nameOf(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId("550403"), tagged(0x0c, Buffer.from(commonName)))));
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, "").slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function basicConstraints(isAuthority: boolean): Buffer {
  const content = isAuthority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence();
  return sequence(objectId("551d13"), tagged(0x01, Buffer.from([0xff])), tagged(0x04, content));
}

function toPem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

const ecdsaSha256 = sequence(objectId("2a8648ce3d040302"));
const subjectAltName = sequence(
  objectId("551d11"),
  tagged(0x04, sequence(tagged(0x82, Buffer.from("localhost")), tagged(0x87, Buffer.from([127, 0, 0, 1])))),
);
