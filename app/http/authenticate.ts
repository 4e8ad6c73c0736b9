import type { Actor } from "../platform/actor.ts";
import { Problem } from "../platform/errors.ts";
import type { Check } from "./guard.ts";

/** Turns an access token into the actor it stands for; throws `Problem` (`invalid_token`) for anything else. */
export type VerifyAccessToken = (token: string, from: { readonly ip: string | undefined }) => Actor | Promise<Actor>;

const bearer = /^Bearer +(?<token>[\w.~+/-]+=*) *$/i;

/** Requires `Authorization: Bearer <access token>` (RFC 6750 §2.1) and leaves the actor for the handler. */
export function authenticate(verify: VerifyAccessToken): Check {
  return function authenticate(c) {
    const header = c.req.header("authorization");
    if (!header) throw new Problem("unauthenticated");
    const token = bearer.exec(header)?.groups?.token;
    if (!token) throw new Problem("invalid_token", { detail: "The Authorization header is not of the form `Bearer <token>`." });
    const actor = verify(token, c.env);
    if (!(actor instanceof Promise)) {
      c.env.actor = actor;
      return undefined;
    }
    return actor.then((it) => {
      c.env.actor = it;
    });
  };
}

/** Requires the admin role; stands behind `authenticate`. */
export const requireAdmin: Check = (c) => {
  if (c.env.actor?.role !== "admin") throw new Problem("forbidden", { detail: "This needs the admin role." });
};
