import { type CryptoKey, decodeProtectedHeader, type JWK, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Actor } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { importCryptoKey, type SigningKey, signingAlgorithm } from "./signing-key.ts";

export interface AccessTokens {
  sign(actor: Actor): Promise<{ readonly token: string; readonly expiresInSeconds: number }>;
  /** Throws `Problem` (`invalid_token`) unless the token is ours, unaltered and in time. */
  verify(token: string): Actor | Promise<Actor>;
}

export interface AccessTokenDeps {
  readonly key: SigningKey;
  /** The public keys of all copies on this database. */
  readonly publicKeys: () => Promise<readonly JWK[]>;
  readonly issuer: string;
  readonly lifetimeSeconds: number;
  readonly now: Now;
}

const audience = "keelson";
const tokenType = "at+jwt";
const cacheSize = 20_000;
/** A token signed with an unknown key makes us look for new keys, but not more often than this. */
const reloadMs = 100;
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const claims = z.object({ sub: z.string(), sid: z.string(), role: z.enum(["user", "admin"]), exp: z.number() });

/**
 * JWT access tokens (RFC 9068), signed with EdDSA. Verified ones are remembered until they expire, because checking a signature
 * costs as much as five whole requests.
 */
export function createAccessTokens(deps: AccessTokenDeps): AccessTokens {
  const { key, issuer, lifetimeSeconds, now } = deps;
  const verified = new Map<string, { readonly actor: Actor; readonly expiresAtMs: number }>();
  const keyOf = createKeyLookup(deps);

  const check = async (token: string): Promise<Actor> => {
    if (!isCanonical(token)) throw new Problem("invalid_token", { detail: "The access token is not a compact JWS." });
    const publicKey = await keyOf(keyIdOf(token));
    if (!publicKey) throw new Problem("invalid_token", { detail: "The access token was not signed by this installation." });
    try {
      const { payload } = await jwtVerify(token, publicKey, {
        algorithms: [signingAlgorithm],
        typ: tokenType,
        issuer,
        audience,
        currentDate: now(),
      });
      const { sub, sid, role, exp } = claims.parse(payload);
      const actor: Actor = Object.freeze({ userId: sub, sessionId: sid, role });
      if (verified.size >= cacheSize) verified.delete(verified.keys().next().value ?? "");
      verified.set(token, { actor, expiresAtMs: exp * 1_000 });
      return actor;
    } catch (cause) {
      throw new Problem("invalid_token", { cause });
    }
  };

  return {
    sign: async (actor) => {
      const issuedAt = Math.floor(+now() / 1_000);
      const token = await new SignJWT({ sid: actor.sessionId, role: actor.role })
        .setProtectedHeader({ alg: signingAlgorithm, typ: tokenType, kid: key.kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(actor.userId)
        .setJti(Bun.randomUUIDv7())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .sign(key.privateKey);
      return { token, expiresInSeconds: lifetimeSeconds };
    },
    verify: (token) => {
      const known = verified.get(token);
      if (!known) return check(token);
      if (known.expiresAtMs > now().getTime()) return known.actor;
      verified.delete(token);
      return check(token);
    },
  };
}

/**
 * Finds the key by its id; rejects only when the other copies' keys had to be asked for and could not be. For an unknown id it asks again,
 * after the pause that is due, instead of saying no: the token may come from a copy that has just started.
 */
function createKeyLookup({ key, publicKeys }: AccessTokenDeps): (kid: string | undefined) => Promise<CryptoKey | undefined> {
  const keys = new Map<string, CryptoKey>();
  let lastAskedAt = Number.NEGATIVE_INFINITY;
  let nextLoad: Promise<void> | undefined;
  const load = async () => {
    await Bun.sleep(Math.max(0, lastAskedAt + reloadMs - performance.now()));
    lastAskedAt = performance.now();
    nextLoad = undefined;
    for (const jwk of await publicKeys()) if (jwk.kid) keys.set(jwk.kid, await importCryptoKey(jwk));
  };
  return async (kid = "") => {
    if (!keys.has(kid) && kid === key.kid) keys.set(kid, await importCryptoKey(key.publicJwk));
    if (!keys.has(kid)) {
      nextLoad ??= load();
      await nextLoad;
    }
    return keys.get(kid);
  };
}

/** Undefined for a header that is no JSON object: such a token has no key, so it is refused like one of an unknown key. */
function keyIdOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}

/** jose forgives padding, spaces and stray bits in the last character; we do not, so that a token has one spelling. */
function isCanonical(token: string): boolean {
  return compactJws.test(token) && token.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}
