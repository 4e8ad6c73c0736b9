import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { AppContext } from "./env.ts";

export interface CookieTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds the access token is good for. */
  readonly expiresIn: number;
}

/** `__Host-`: only over TLS or to this machine, for this host alone and all of its paths (RFC 6265bis §4.1.3.2). No script can read them. */
const attributes = { prefix: "host", path: "/", secure: true, httpOnly: true, sameSite: "Lax" } as const;
const accessName = "keelson_access";
const refreshName = "keelson_refresh";
/** As long as browsers keep a cookie (RFC 6265bis §5.6.2); the token in it may end earlier. */
const refreshSeconds = 34_560_000;

/** A client that asks for cookies gets no tokens to keep. The header makes browsers ask before another site can send it. */
export function wantsCookies(c: AppContext): boolean {
  return c.env.byCookie || c.req.header("x-session-transport") === "cookie";
}

export function setSessionCookies(c: AppContext, tokens: CookieTokens): void {
  setCookie(c, accessName, tokens.accessToken, { ...attributes, maxAge: tokens.expiresIn });
  setCookie(c, refreshName, tokens.refreshToken, { ...attributes, maxAge: refreshSeconds });
}

export function clearSessionCookies(c: AppContext): void {
  if (accessCookie(c) !== undefined) deleteCookie(c, accessName, attributes);
  if (refreshCookie(c) !== undefined) deleteCookie(c, refreshName, attributes);
}

export function accessCookie(c: AppContext): string | undefined {
  return getCookie(c, accessName, "host");
}

export function refreshCookie(c: AppContext): string | undefined {
  return getCookie(c, refreshName, "host");
}
