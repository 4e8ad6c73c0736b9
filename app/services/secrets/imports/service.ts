import type { z } from "zod";
import type { SecretService } from "../service.ts";
import type { SecretCall } from "../tenant.ts";
import type { SecretView } from "../view.ts";
import { decryptOldValue } from "./decrypt.ts";
import type { importBody } from "./schema.ts";

export type SecretImports = ReturnType<typeof createSecretImports>;

export function createSecretImports({ createAll }: Pick<SecretService, "createAll">) {
  return {
    /** Values of an older system become secrets: all that are given, or none. */
    importAll: (call: SecretCall, given: z.infer<typeof importBody>): Promise<SecretView[]> =>
      createAll(
        call,
        [given].flat().map(({ format: _, encoding, ciphertext, iv, key, hmac, ...secret }) => ({
          ...secret,
          value: decryptOldValue({ encoding, ciphertext, iv, key, hmac }),
        })),
      ),
  };
}
