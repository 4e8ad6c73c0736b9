import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { sessionOf } from "../sessions/service.ts";
import type { AuthStore } from "../store.ts";
import { addressOf, type Call } from "./authority.ts";
import { apiKeyImported } from "./events.ts";
import type { importKeyRequest } from "./schema.ts";
import type { ApiKeyStore } from "./store.ts";
import { type ApiKeyView, toApiKeyView } from "./view.ts";

export interface ImportDeps {
  readonly store: Pick<ApiKeyStore, "lockAndCount" | "insertImported">;
  readonly users: Pick<AuthStore, "findUser">;
  readonly transact: Transact;
  /** How many live keys one user may have. */
  readonly keysMax: number;
  readonly now: Now;
}

export type ImportApiKey = (call: Call, input: z.infer<typeof importKeyRequest>) => Promise<ApiKeyView>;

/**
 * Keys that people have already, from a system that kept only a bcrypt hash of the secret. Nobody but the holder can show such a key, so its owner can't make
 * it here: the one place where an administrator says who owns something. Throws `Problem`: `validation_failed`, `forbidden`, `conflict`.
 */
export function createImportApiKey({ store, users, transact, keysMax, now }: ImportDeps): ImportApiKey {
  return async (call, { userId, hash, ...input }) => {
    sessionOf(call.actor);
    await assertReadable(hash);
    const expiresAt = input.expiresAt === undefined ? null : new Date(input.expiresAt);
    if (expiresAt && expiresAt <= now()) throw invalid("/expiresAt", "must be in the future");
    return transact(async (unit) => {
      const live = await store.lockAndCount(userId, now(), unit.tx);
      const owner = await users.findUser(userId, unit.tx);
      if (!owner) throw invalid("/userId", "there is no such user");
      if (input.scopes.includes("admin") && owner.role !== "admin")
        throw new Problem("forbidden", { detail: "The scope admin is for keys of administrators." });
      if (live >= keysMax) throw new Problem("conflict", { detail: `The user has ${keysMax} API keys already.` });
      const id = input.id ?? newId("apiKey");
      const row = await store.insertImported({ ...input, id, ownerId: userId, expiresAt, secretHash: hash, createdAt: now() }, unit.tx);
      if (!row) throw new Problem("conflict", { detail: `There is an API key ${id} already, or there was.` });
      const data = { name: row.name, scopes: [...row.scopes], ownerId: userId };
      unit.publish(apiKeyImported, { ...addressOf(row, call), data });
      return toApiKeyView(row);
    });
  };
}

/** Some texts of the right shape are no encoding of a salt and a digest. Tried at the lowest cost: only the digest differs by that. */
async function assertReadable(hash: string): Promise<void> {
  await Bun.password.verify("any", `${hash.slice(0, 4)}04${hash.slice(6)}`).catch(() => {
    throw invalid("/hash", "is not a bcrypt hash: salt or digest can't be decoded");
  });
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem("validation_failed", { detail: "One or more fields are not as expected.", errors: [{ pointer, detail }] });
}
