import type { Actor } from "../platform/actor.ts";
import { Problem } from "../platform/errors.ts";
import { apiKeyPrefix } from "../platform/ids.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";
import { accessCookie } from "./session-cookies.ts";

/** Turns an access token or API key into the actor it stands for; throws `Problem` (`invalid_token`) for anything else. */
export type VerifyAccessToken = (token: string, from: { readonly ip: string | undefined }) => Actor | Promise<Actor>;

/** Only the scheme: to match the whole of a token here costs as much as the rest of the stack, and whoever verifies it checks its shape. */
const bearerScheme = /^Bearer /i;

export interface AuthenticateOptions {
  readonly verify: VerifyAccessToken;
  /** Asked before a write that only a cookie vouches for. */
  readonly sameOrigin: (c: AppContext) => void;
}

/**
 * Requires `Authorization: Bearer <access token or API key>` (RFC 6750 §2.1), `X-Api-Key: <API key>` or an access token in the session cookie, and
 * leaves the actor for the handler. Two credentials in headers that differ are refused: which of them counts would be a guess.
 */
export function authenticate({ verify, sameOrigin }: AuthenticateOptions): Check {
  return function authenticate(c) {
    const actor = verify(shownInHeaders(c) ?? cookieToken(c, sameOrigin), c.env);
    if (!(actor instanceof Promise)) {
      c.env.actor = actor;
      return undefined;
    }
    return actor.then((it) => {
      c.env.actor = it;
    });
  };
}

/** Who asks on a route that anybody may call: undefined without a credential, or with one that is not accepted. */
export type WhoAsks = (c: AppContext) => Promise<Actor | undefined>;

export function createWhoAsks({ verify, sameOrigin }: AuthenticateOptions): WhoAsks {
  return async function whoAsks(c) {
    try {
      return await verify(shownInHeaders(c) ?? cookieToken(c, sameOrigin), c.env);
    } catch (refusal) {
      if (refusal instanceof Problem && refusal.status < 500) return undefined;
      throw refusal;
    }
  };
}

/** Undefined when there is neither header; then a cookie may vouch. */
function shownInHeaders(c: AppContext): string | undefined {
  const header = c.req.header("authorization");
  const key = c.req.header("x-api-key");
  if (!header && !key) return undefined;
  const token = header ? bearerToken(header) : key;
  if (!token) throw new Problem("invalid_token", { detail: "The Authorization header is not of the form `Bearer <token>`." });
  if (key !== undefined && key !== token)
    throw new Problem("invalid_token", { detail: "Authorization and X-Api-Key say different things." });
  if (key !== undefined && !key.startsWith(apiKeyPrefix)) throw new Problem("invalid_token", { detail: "X-Api-Key takes API keys only." });
  return token;
}

function bearerToken(header: string): string | undefined {
  return bearerScheme.test(header) ? header.slice("Bearer ".length).trim() : undefined;
}

function cookieToken(c: AppContext, sameOrigin: AuthenticateOptions["sameOrigin"]): string {
  const token = accessCookie(c);
  if (!token) throw new Problem("unauthenticated");
  sameOrigin(c);
  c.env.byCookie = true;
  return token;
}

/** Requires the admin role; stands behind `authenticate`. */
export const requireAdmin: Check = (c) => {
  if (c.env.actor?.role !== "admin") throw new Problem("forbidden", { detail: "This needs the admin role." });
};
