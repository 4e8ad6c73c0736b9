import { Problem } from "../../../platform/errors.ts";
import { randomToken } from "../../../platform/ids.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Seal } from "../../../platform/seal.ts";
import { VaultUnavailable } from "../../../platform/vault/errors.ts";
import type { KvValues } from "../../../platform/vault/kv.ts";
import { bindingOf } from "../tenant.ts";
import { UnreadableValue, type ValueStore } from "./port.ts";

export interface VaultValuesDeps {
  readonly kv: KvValues;
  readonly seal: Seal;
  readonly log: Logger;
}

/**
 * Values in Vault, each at a path that never comes twice. The row keeps the path, sealed for its place, so that a row moved to another place is noticed. A copy that
 * dies between the two stores leaves a value in Vault that no row knows.
 */
export function createVaultValues({ kv, seal, log }: VaultValuesDeps): ValueStore {
  const remove = (path: string) => kv.delete(path).catch((error: unknown) => log.warn({ err: error, path }, "a value was left in Vault"));
  const pathIn = (kept: Uint8Array, boundTo: string): string => {
    try {
      return Buffer.from(seal.open(kept, boundTo)).toString();
    } catch (cause) {
      throw new UnreadableValue("the place of the value does not open", { cause });
    }
  };

  return {
    name: "vault",
    put: async (unit, ref, plain) => {
      const path = `${ref.secretId}/${ref.version}-${randomToken(12)}`;
      unit.afterRollback(() => remove(path));
      await kv.put(path, plain).catch(outOfReach);
      return seal.seal(Buffer.from(path), bindingOf(ref));
    },
    get: async (ref, kept) => {
      const path = pathIn(kept, bindingOf(ref));
      try {
        return await kv.get(path);
      } catch (error) {
        if (error instanceof VaultUnavailable) return outOfReach(error);
        throw new UnreadableValue("the value is not in Vault any more, or may not be read", { cause: error });
      }
    },
    erase: async (unit, ref, kept) => {
      const path = pathIn(kept, bindingOf(ref));
      unit.afterCommit(() => void remove(path));
    },
  };
}

function outOfReach(cause: unknown): never {
  if (!(cause instanceof VaultUnavailable)) throw cause;
  throw new Problem("unavailable", { detail: "Vault, which has the value, is not in reach.", retryAfterSeconds: 5, cause });
}
