import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Revocations } from "../tokens/revocations.ts";
import type { MatchesImported } from "./imported.ts";
import { isImported, type KeyParts, matchesHash, parseKey } from "./key-format.ts";
import type { ApiKeyStore, UsableKey } from "./store.ts";

export interface KeyVerifierDeps {
  readonly store: Pick<ApiKeyStore, "findUsable">;
  readonly matchesImported: MatchesImported;
  readonly revocations: Pick<Revocations, "isRevoked">;
  /** Told of each use of a key. */
  readonly seen: (keyId: string) => void;
  readonly now: Now;
}

/** Throws `Problem` (`invalid_token`; for an imported key also `rate_limited` and `unavailable`). A promise only for a key that this copy has not read lately, or while it cannot know of revocations. */
export type VerifyApiKey = (key: string) => Actor | Promise<Actor>;

const cacheSize = 20_000;
/** Read again this often although nothing has changed. Revocations are known for longer (`tokens/revocations.ts`), so none is forgotten while an older state is remembered. */
const rereadMs = 30_000;
/** A key can change between its reading and the end of its check; more often than this in a row it does not. */
const readsMax = 3;

interface Verified {
  readonly actor: Actor;
  readonly keyId: string;
  readonly version: number;
  readonly goodUntilMs: number;
}

/** API keys on the hot path: verified ones are remembered by the digest of what was shown, and whether they were revoked or changed is asked each time. */
export function createVerifyApiKey({ store, matchesImported, revocations, seen, now }: KeyVerifierDeps): VerifyApiKey {
  const remembered = new Map<string, Verified>();

  const remember = (digest: string, verified: Verified) => {
    if (remembered.size >= cacheSize) remembered.delete(remembered.keys().next().value ?? "");
    remembered.set(digest, verified);
  };

  const matches = (parts: KeyParts, hash: string): Promise<boolean> =>
    isImported(hash) ? matchesImported(parts, hash) : matchesHash(parts, hash);

  /** In milliseconds since 1970; undefined when it is no good. */
  const whenItEnds = async (parts: KeyParts, { key, owner, memberId }: UsableKey): Promise<number | undefined> => {
    const at = now().getTime();
    const end = key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    if (owner.disabledAt || (key.teamId !== null && memberId === null) || end <= at) return undefined;
    if (await matches(parts, key.secretHash)) return end;
    const graceEnd = Math.min(end, key.previousUntil?.getTime() ?? 0);
    if (key.previousHash === null || graceEnd <= at) return undefined;
    return (await matches(parts, key.previousHash)) ? graceEnd : undefined;
  };

  const read = async (parts: KeyParts): Promise<Verified> => {
    const usable = await store.findUsable(parts.keyId);
    if (!usable) throw refusal();
    const goodUntil = await whenItEnds(parts, usable);
    if (goodUntil === undefined) throw refusal();
    const { key } = usable;
    return { actor: toActor(usable), keyId: key.id, version: key.version, goodUntilMs: Math.min(goodUntil, now().getTime() + rereadMs) };
  };

  const check = async (key: string, digest: string): Promise<Actor> => {
    const parts = parseKey(key);
    if (!parts || revocations.isRevoked(parts.keyId, Number.MAX_SAFE_INTEGER) === true) throw refusal();
    for (let reads = 0; reads < readsMax; reads += 1) {
      const verified = await read(parts);
      // A promise is no news: what it would ask the store for has just been read there.
      if (revocations.isRevoked(verified.keyId, verified.version) === true) continue;
      remember(digest, verified);
      seen(verified.keyId);
      return verified.actor;
    }
    throw refusal();
  };

  return (key) => {
    const digest = Bun.CryptoHasher.hash("sha256", key, "base64url");
    const known = remembered.get(digest);
    if (known && known.goodUntilMs > now().getTime()) {
      const { actor, keyId, version } = known;
      const outdated = revocations.isRevoked(keyId, version);
      if (outdated instanceof Promise) return outdated.then((it) => (it ? check(key, digest) : actor));
      if (!outdated) {
        seen(keyId);
        return actor;
      }
    }
    remembered.delete(digest);
    return check(key, digest);
  };
}

/** A key is an administrator's only if it says so itself, so that one made for another purpose is not a master key; a team's key never is. */
function toActor({ key, owner }: UsableKey): Actor {
  const via = Object.freeze({
    kind: "api_key",
    keyId: key.id,
    version: key.version,
    teamId: key.teamId ?? undefined,
    scopes: key.scopes,
    rateLimit: key.rateLimit ?? undefined,
  } as const);
  const isAdmin = owner.role === "admin" && key.teamId === null && key.scopes.includes("admin");
  return Object.freeze({ userId: key.ownerId, role: isAdmin ? "admin" : "user", via });
}

/** The same for all reasons, so that nobody learns which ids exist. */
function refusal(): Problem {
  return new Problem("invalid_token", { detail: "The API key is not valid: mistyped, expired, rotated or revoked." });
}
