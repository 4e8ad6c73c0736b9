import type { Actor } from "../platform/actor.ts";
import { Problem } from "../platform/errors.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";
import { accessCookie } from "./session-cookies.ts";

/** Turns an access token into the actor it stands for; throws `Problem` (`invalid_token`) for anything else. */
export type VerifyAccessToken = (token: string, from: { readonly ip: string | undefined }) => Actor | Promise<Actor>;

const bearer = /^Bearer +(?<token>[\w.~+/-]+=*) *$/i;

export interface AuthenticateOptions {
  readonly verify: VerifyAccessToken;
  /** Asked before a write that only a cookie vouches for. */
  readonly sameOrigin: (c: AppContext) => void;
}

/** Requires an access token, as `Authorization: Bearer` (RFC 6750 §2.1) or in the session cookie, and leaves the actor for the handler. */
export function authenticate({ verify, sameOrigin }: AuthenticateOptions): Check {
  return function authenticate(c) {
    const actor = verify(bearerToken(c) ?? cookieToken(c, sameOrigin), c.env);
    if (!(actor instanceof Promise)) {
      c.env.actor = actor;
      return undefined;
    }
    return actor.then((it) => {
      c.env.actor = it;
    });
  };
}

function bearerToken(c: AppContext): string | undefined {
  const header = c.req.header("authorization");
  if (!header) return undefined;
  const token = bearer.exec(header)?.groups?.token;
  if (!token) throw new Problem("invalid_token", { detail: "The Authorization header is not of the form `Bearer <token>`." });
  return token;
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
