import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

export type Body = Readonly<Record<string, unknown>>;

/** Answered as `{"errors":[…]}`. */
export class Refusal extends Error {
  readonly status: number;
  readonly data: unknown;

  constructor(status: number, message = "", data?: unknown) {
    super(message);
    this.status = status;
    this.data = data;
  }
}

/** What is mounted: its `data` in the answer, or undefined for 204. */
export interface Engine {
  /** Writing to what is not there takes `create`, to what is there `update`. */
  exists(path: string): boolean;
  handle(method: string, path: string, body: Body): unknown;
}

const notSupported = () => new Refusal(405, "unsupported operation");
const notFound = () => new Refusal(404);

export function textOf(body: Body, key: string): string {
  const value = body[key];
  return typeof value === "string" ? value : "";
}

interface Version {
  readonly data: unknown;
  readonly createdAt: string;
  deletedAt: string;
}

/** KV secrets engine, version 2 (API documentation "KV - Version 2"). */
export function createKvEngine(): Engine {
  const values = new Map<string, Version[]>();

  const metadataOf = (version: Version, number: number) => ({
    version: number,
    created_time: version.createdAt,
    deletion_time: version.deletedAt,
    destroyed: false,
    custom_metadata: null,
  });
  const read = (path: string) => {
    const versions = values.get(path) ?? [];
    const version = versions.at(-1);
    if (!version) throw notFound();
    const metadata = metadataOf(version, versions.length);
    if (version.deletedAt) throw new Refusal(404, "", { data: null, metadata });
    return { data: version.data, metadata };
  };
  const write = (path: string, body: Body) => {
    const versions = values.get(path) ?? [];
    if (typeof body.data !== "object" || body.data === null) throw new Refusal(400, "no data provided");
    const options: unknown = body.options;
    if (typeof options === "object" && options !== null && "cas" in options && options.cas !== versions.length)
      throw new Refusal(400, "check-and-set parameter did not match the current version");
    const version = { data: body.data, createdAt: new Date().toISOString(), deletedAt: "" };
    values.set(path, [...versions, version]);
    return metadataOf(version, versions.length + 1);
  };
  const remove = (path: string) => {
    const version = values.get(path)?.at(-1);
    if (version) version.deletedAt = new Date().toISOString();
  };

  return {
    exists: (path) => values.has(path.replace(/^[a-z]+\//, "")),
    handle: (method, path, body) => {
      const [kind = "", ...rest] = path.split("/");
      const name = rest.join("/");
      if (kind === "data" && method === "GET") return read(name);
      if (kind === "data" && method === "POST") return write(name, body);
      if (kind === "data" && method === "DELETE") return remove(name);
      if (kind === "metadata" && method === "DELETE") return void values.delete(name);
      if (kind === "metadata" && method === "GET") {
        if (!values.has(name)) throw notFound();
        return { current_version: values.get(name)?.length, oldest_version: 1 };
      }
      throw notSupported();
    },
  };
}

interface TransitKey {
  readonly type: string;
  readonly derived: boolean;
  readonly versions: Buffer[];
  minDecryptionVersion: number;
}

export interface TransitEngine extends Engine {
  /** Before 1.12 it was an unknown parameter, and those are passed over with a warning. */
  ignoresAssociatedData: boolean;
}

/** Transit secrets engine (API documentation "Transit"), with AES-256-GCM: `vault:v<version>:` and base64 of nonce, ciphertext, tag. */
export function createTransitEngine(): TransitEngine {
  const keys = new Map<string, TransitKey>();

  const create = (name: string, body: Body) => {
    const type = textOf(body, "type") || "aes256-gcm96";
    const key = keys.get(name) ?? { type, derived: body.derived === true, versions: [randomBytes(32)], minDecryptionVersion: 1 };
    keys.set(name, key);
    return key;
  };
  const find = (name: string) => {
    const key = keys.get(name);
    if (!key) throw new Refusal(400, "encryption key not found");
    return key;
  };
  const associated = (body: Body, key: TransitKey) => {
    if (engine.ignoresAssociatedData) return Buffer.alloc(0);
    const given = textOf(body, "associated_data");
    if (given && !key.type.includes("gcm")) throw new Refusal(400, "'[0].associated_data' provided for non-AEAD cipher suite");
    return Buffer.from(given, "base64");
  };
  const encrypt = (name: string, body: Body) => {
    const key = keys.get(name) ?? create(name, body);
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key.versions.at(-1) ?? "", nonce).setAAD(associated(body, key));
    const sealed = Buffer.concat([
      nonce,
      cipher.update(Buffer.from(textOf(body, "plaintext"), "base64")),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return { ciphertext: `vault:v${key.versions.length}:${sealed.toString("base64")}`, key_version: key.versions.length };
  };
  const decrypt = (name: string, body: Body) => {
    const key = find(name);
    const [, number, encoded = ""] = /^vault:v(\d+):(.+)$/.exec(textOf(body, "ciphertext")) ?? [];
    if (number === undefined) throw new Refusal(400, "invalid ciphertext: no prefix");
    if (Number(number) < key.minDecryptionVersion)
      throw new Refusal(400, "ciphertext or signature version is disallowed by policy (too old)");
    const secret = key.versions[Number(number) - 1];
    if (!secret) throw new Refusal(400, "invalid ciphertext: version is too new");
    const sealed = Buffer.from(encoded, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(0, 12), { authTagLength: 16 });
      decipher.setAuthTag(sealed.subarray(-16)).setAAD(associated(body, key));
      return { plaintext: Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString("base64") };
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal(400, "cipher: message authentication failed");
    }
  };
  const describe = (name: string) => {
    const key = keys.get(name);
    if (!key) throw notFound();
    const { type, derived, versions, minDecryptionVersion: min_decryption_version } = key;
    return { name, type, derived, latest_version: versions.length, min_decryption_version, supports_encryption: true };
  };

  const engine: TransitEngine = {
    ignoresAssociatedData: false,
    exists: (path) => keys.has(path.split("/")[1] ?? "") || path.startsWith("decrypt/"),
    handle: (method, path, body) => {
      const [kind, name = "", verb] = path.split("/");
      if (kind === "keys" && method === "GET") return describe(name);
      if (method !== "POST") throw notSupported();
      if (kind === "encrypt") return encrypt(name, body);
      if (kind === "decrypt") return decrypt(name, body);
      if (kind === "keys" && verb === undefined) return void create(name, body);
      if (kind === "keys" && verb === "rotate") return void find(name).versions.push(randomBytes(32));
      if (kind === "keys" && verb === "config") {
        find(name).minDecryptionVersion = Number(body.min_decryption_version);
        return undefined;
      }
      throw notSupported();
    },
  };
  return engine;
}
