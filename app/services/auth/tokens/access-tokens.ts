import { type CryptoKey, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { networkOf } from "../../../platform/network.ts";
import type { Revocations } from "./revocations.ts";
import { importCryptoKey, type SigningAlgorithm } from "./signing-key.ts";
import type { SigningKeys } from "./signing-keys.ts";
import type { SigningKeyRow } from "./store.ts";

/** What an access token says: whose authority, in which state of which session. */
export interface AccessGrant {
  readonly userId: string;
  readonly role: Actor["role"];
  readonly sessionId: string;
  readonly version: number;
  /** Everybody in the session, the active user too. */
  readonly users: readonly string[];
  /** Where the session may be used from; undefined: anywhere. */
  readonly network: string | undefined;
}

/** Where a token is shown from. To ask for the address costs as much as the rest of a check, so only a session that is bound to one does. */
interface Origin {
  readonly ip: string | undefined;
}

export interface AccessTokens {
  sign(grant: AccessGrant): Promise<{ readonly token: string; readonly expiresInSeconds: number }>;
  /**
   * Throws `Problem` (`invalid_token`) unless the token is ours, unaltered, in time, not revoked and shown from where it may be.
   * A promise only for a token that this copy has not seen yet, or while it cannot know of revocations.
   */
  verify(token: string, from: Origin): Actor | Promise<Actor>;
}

export interface AccessTokenDeps {
  readonly signingKeys: Pick<SigningKeys, "current">;
  /** The keys of all copies on this database. */
  readonly allKeys: () => Promise<readonly Pick<SigningKeyRow, "kid" | "algorithm" | "publicJwk">[]>;
  readonly revocations: Pick<Revocations, "isRevoked">;
  /** Told of each use of a session. */
  readonly seen: (sessionId: string) => void;
  readonly issuer: string;
  readonly lifetimeSeconds: number;
  readonly now: Now;
}

const audience = "keelson";
const tokenType = "at+jwt";
const cacheSize = 20_000;
/** Longer is none of ours, and not worth a look. */
const tokenLengthMax = 4_096;
/** A token signed with an unknown key makes us look for new keys, but not more often than this. */
const reloadMs = 100;
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const claims = z.object({
  sub: z.string(),
  sid: z.string(),
  jti: z.string(),
  role: z.enum(["user", "admin"]),
  ver: z.number(),
  users: z.array(z.string()),
  net: z.string().optional(),
  exp: z.number(),
});

interface Verified {
  readonly actor: Actor;
  readonly sessionId: string;
  readonly version: number;
  readonly network: string | undefined;
  readonly expiresAtMs: number;
}

/**
 * JWT access tokens (RFC 9068, RFC 8725). Verified ones are remembered until they expire, because checking a signature costs as much
 * as five whole requests; whether they were revoked is asked each time.
 */
export function createAccessTokens(deps: AccessTokenDeps): AccessTokens {
  const { issuer, lifetimeSeconds, now, revocations } = deps;
  const remembered = new Map<string, Verified>();
  const keyOf = createKeyLookup(deps);

  const check = async (token: string): Promise<Verified> => {
    if (!isCanonical(token)) throw new Problem("invalid_token", { detail: "The access token is not a compact JWS." });
    const known = await keyOf(keyIdOf(token));
    if (!known) throw new Problem("invalid_token", { detail: "The access token was not signed by this installation." });
    try {
      const { payload } = await jwtVerify(token, known.key, {
        algorithms: [known.algorithm],
        typ: tokenType,
        issuer,
        audience,
        currentDate: now(),
      });
      const { sub, sid, role, ver, net, exp } = claims.parse(payload);
      const via = Object.freeze({ kind: "session", sessionId: sid, version: ver } as const);
      const actor: Actor = Object.freeze({ userId: sub, role, via });
      const verified = { actor, sessionId: sid, version: ver, network: net, expiresAtMs: exp * 1_000 };
      if (remembered.size >= cacheSize) remembered.delete(remembered.keys().next().value ?? "");
      remembered.set(token, verified);
      return verified;
    } catch (cause) {
      throw new Problem("invalid_token", { cause });
    }
  };

  const admit = ({ actor, sessionId, version, network }: Verified, from: Origin): Actor | Promise<Actor> => {
    if (network !== undefined && (from.ip === undefined || networkOf(from.ip) !== network))
      throw new Problem("invalid_token", { detail: "The session may not be used from this address." });
    const revoked = revocations.isRevoked(sessionId, version);
    if (revoked === false) {
      deps.seen(sessionId);
      return actor;
    }
    if (revoked === true) throw revokedProblem();
    return revoked.then((it) => {
      if (it) throw revokedProblem();
      return actor;
    });
  };

  return {
    sign: async (grant) => {
      const { kid, algorithm, key } = deps.signingKeys.current();
      const issuedAt = Math.floor(now().getTime() / 1_000);
      const token = await new SignJWT({
        sid: grant.sessionId,
        role: grant.role,
        ver: grant.version,
        users: grant.users,
        ...(grant.network === undefined ? {} : { net: grant.network }),
      })
        .setProtectedHeader({ alg: algorithm, typ: tokenType, kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(grant.userId)
        .setJti(Bun.randomUUIDv7())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .sign(key);
      return { token, expiresInSeconds: lifetimeSeconds };
    },
    verify: (token, from) => {
      const known = remembered.get(token);
      if (known && known.expiresAtMs > now().getTime()) return admit(known, from);
      if (known) remembered.delete(token);
      return check(token).then((verified) => admit(verified, from));
    },
  };
}

function revokedProblem(): Problem {
  return new Problem("invalid_token", { detail: "The session has ended or has changed: refresh, or log in again." });
}

interface VerificationKey {
  readonly key: CryptoKey;
  readonly algorithm: SigningAlgorithm;
}

/**
 * Finds the key by its id; rejects only when the keys had to be asked for and could not be. For an unknown id it asks again,
 * after the pause that is due, instead of saying no: the token may come from a copy that has just started.
 */
function createKeyLookup({ allKeys }: Pick<AccessTokenDeps, "allKeys">): (kid: string) => Promise<VerificationKey | undefined> {
  let keys = new Map<string, VerificationKey>();
  let lastAskedAt = Number.NEGATIVE_INFINITY;
  let nextLoad: Promise<void> | undefined;
  const load = async () => {
    await Bun.sleep(Math.max(0, lastAskedAt + reloadMs - performance.now()));
    lastAskedAt = performance.now();
    nextLoad = undefined;
    const loaded = (await allKeys()).map(
      async ({ kid, algorithm, publicJwk }) => [kid, { key: await importCryptoKey(publicJwk, algorithm), algorithm }] as const,
    );
    keys = new Map(await Promise.all(loaded));
  };
  return async (kid) => {
    if (!keys.has(kid)) {
      nextLoad ??= load();
      await nextLoad;
    }
    return keys.get(kid);
  };
}

/** Empty for a header that is no JSON object: such a token has no key, so it is refused like one of an unknown key. */
function keyIdOf(token: string): string {
  try {
    return decodeProtectedHeader(token).kid ?? "";
  } catch {
    return "";
  }
}

/** jose forgives padding, spaces and stray bits in the last character; we do not, so that a token has one spelling. */
function isCanonical(token: string): boolean {
  if (token.length > tokenLengthMax || !compactJws.test(token)) return false;
  return token.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}
