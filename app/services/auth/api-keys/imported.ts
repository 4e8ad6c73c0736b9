import { availableParallelism } from "node:os";
import { Problem } from "../../../platform/errors.ts";
import type { Limiter } from "../../../platform/limiter/port.ts";
import { createAtMost } from "../passwords/at-most.ts";
import { hashSecret, type KeyParts, matchesHash } from "./key-format.ts";
import type { ApiKeyStore } from "./store.ts";

export interface ImportedDeps {
  readonly store: Pick<ApiKeyStore, "replaceHash">;
  readonly limiter: Pick<Limiter, "consume">;
}

/** Whether the secret is the one behind the bcrypt hash of an imported key. Throws `Problem`: `rate_limited`, `unavailable`. */
export type MatchesImported = (parts: KeyParts, hash: string) => Promise<boolean>;

/** The right secret is compared once, and whoever has lost it does not try many. */
const tries = { name: "imported-key", limit: 10, windowSeconds: 60 };
/** Requests in line for a core, each of which takes up to a second there. */
const waitingMax = 100;

/**
 * Bcrypt on the way of a request: a core for as long as the other system chose, for whoever knows an id. So it happens once per secret: a fast hash takes its
 * place when it matches, those who show the same secret meanwhile wait for the same answer, and each key has a few tries a minute, on as many cores as there are.
 */
export function createMatchesImported({ store, limiter }: ImportedDeps): MatchesImported {
  const run = createAtMost(availableParallelism(), waitingMax);
  const running = new Map<string, Promise<boolean>>();

  const compare = async (parts: KeyParts, hash: string): Promise<boolean> => {
    const { allowed, resetSeconds } = await limiter.consume(tries, parts.keyId);
    if (!allowed)
      throw new Problem("rate_limited", {
        detail: "Too many wrong secrets were shown for this imported API key.",
        retryAfterSeconds: Math.max(1, resetSeconds),
      });
    const matches = await run(() => matchesHash(parts, hash));
    if (matches) await store.replaceHash(parts.keyId, hash, hashSecret(parts));
    return matches;
  };

  return (parts, hash) => {
    const what = `${hash} ${hashSecret(parts)}`;
    const answer = running.get(what) ?? compare(parts, hash).finally(() => running.delete(what));
    running.set(what, answer);
    return answer;
  };
}
