import type { AppContext } from "../../http/env.ts";
import { setSessionCookies, wantsCookies } from "../../http/session-cookies.ts";
import type { SignedIn } from "./schema.ts";

/** What a log-in answers: the tokens in the body, or for a client that asked for it in cookies. */
export function signedInBody(c: AppContext, signedIn: SignedIn): Partial<SignedIn> & Omit<SignedIn, "accessToken" | "refreshToken"> {
  // RFC 6749 §5.1: no cache may keep tokens.
  c.header("cache-control", "no-store");
  c.env.issuesTokens = true;
  if (!wantsCookies(c)) return signedIn;
  setSessionCookies(c, signedIn);
  const { accessToken: _access, refreshToken: _refresh, ...rest } = signedIn;
  return rest;
}
