import { Problem } from "../platform/errors.ts";
import type { AppContext } from "./env.ts";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

export interface PageOrigins {
  /** Where browsers reach us; undefined: wherever the request came to. */
  readonly own: string | undefined;
  /** Others that may, such as `https://app.example.com`. */
  readonly trusted: readonly string[];
}

/**
 * Refuses a write that another site had the browser send along with our cookies (OWASP CSRF Prevention Cheat Sheet: Fetch Metadata,
 * with `Origin` for browsers without). Origins are compared whole: a page of our host on another scheme or port is another site's.
 */
export function requireSameOrigin({ own, trusted }: PageOrigins): (c: AppContext) => void {
  return function requireSameOrigin(c) {
    if (safeMethods.has(c.req.method) || c.req.header("sec-fetch-site") === "same-origin") return;
    const origin = c.req.header("origin");
    const isOurs = origin !== undefined && (trusted.includes(origin) || origin === (own ?? originOf(c.req.url)));
    if (!isOurs) throw new Problem("cross_site_request");
  };
}

/** Undefined when the Host header is none. */
function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
