import { z } from "zod";
import type { RootKey } from "../keys/root-key.ts";
import type { Vault } from "./client.ts";
import { VaultError, VaultForbidden, VaultNotFound, VaultUnavailable } from "./errors.ts";
import { parseAnswer, pathOf } from "./requests.ts";

export interface TransitOptions {
  readonly vault: Vault;
  readonly mount: string;
  readonly keyName: string;
}

const keyInfo = z.object({ data: z.object({ type: z.string(), derived: z.boolean() }) });
const encrypted = z.object({ data: z.object({ ciphertext: z.string().startsWith("vault:v") }) });
const decrypted = z.object({ data: z.object({ plaintext: z.base64() }) });

const aeadTypes = ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"];

/**
 * A root key that never leaves Vault's transit engine. What it wraps names the version of the transit key, so that key may be rotated.
 * The policy needs `update` on `<mount>/encrypt/<key>` and `<mount>/decrypt/<key>`, and `read` on `<mount>/keys/<key>`.
 */
export function createTransitRootKey({ vault, mount, keyName }: TransitOptions): RootKey {
  const id = `vault:${mount}/${keyName}`;
  const path = (verb: string) => pathOf(mount, verb, keyName);
  let checked = false;

  const encrypt = async (key: Uint8Array, boundTo: string): Promise<string> =>
    parseAnswer(encrypted, await vault.write(path("encrypt"), { plaintext: base64(key), associated_data: base64(Buffer.from(boundTo)) }))
      .data.ciphertext;
  const decrypt = async (ciphertext: string, boundTo: string): Promise<Uint8Array> => {
    const answer = await vault.write(path("decrypt"), { ciphertext, associated_data: base64(Buffer.from(boundTo)) });
    return Buffer.from(parseAnswer(decrypted, answer).data.plaintext, "base64");
  };

  return {
    id,
    wrap: async (key, boundTo) => {
      if (!checked) await assertUsable();
      const ciphertext = await inWords(id, "wrap", () => encrypt(key, boundTo));
      if (!checked) await assertBound(ciphertext, `not ${boundTo}`);
      checked = true;
      return Buffer.from(ciphertext);
    },
    unwrap: (wrapped, boundTo) => inWords(id, "unwrap", () => decrypt(Buffer.from(wrapped).toString(), boundTo)),
  };

  /** Vault makes a key that does not exist, if the policy lets it: a slip in its name would go unnoticed. */
  async function assertUsable(): Promise<void> {
    const { type, derived } = await inWords(id, "look up", async () => parseAnswer(keyInfo, await vault.read(path("keys"))).data);
    if (!aeadTypes.includes(type))
      throw new VaultError(`the transit key ${id} is of the type ${type}; it has to be one of ${aeadTypes.join(", ")}`);
    if (derived) throw new VaultError(`the transit key ${id} derives keys from a context, which is not what it is for here`);
  }

  /** Vault before 1.12 takes no associated data, and says so in a warning only. */
  async function assertBound(ciphertext: string, another: string): Promise<void> {
    try {
      await decrypt(ciphertext, another);
    } catch (error) {
      if (error instanceof VaultError && error.status === 400) return;
      throw error;
    }
    throw new VaultError(`the transit engine of ${id} ignores associated data: Vault has to be 1.12 or newer`);
  }
}

async function inWords<T>(id: string, verb: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof VaultUnavailable || !(error instanceof VaultError)) throw error;
    if (error instanceof VaultForbidden)
      throw new VaultForbidden(`the policy does not let us ${verb} with the transit key ${id}: ${error.message}`, 403);
    if (error instanceof VaultNotFound || error.message.includes("encryption key not found"))
      throw new VaultNotFound(`there is no transit key ${id}: ${error.message}`, error.status);
    throw new VaultError(`the transit key ${id} does not ${verb} it: ${error.message}`, error.status);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
