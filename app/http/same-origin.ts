import { Problem } from "../platform/errors.ts";
import type { AppContext } from "./env.ts";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses a write that another site had the browser send along with our cookies (OWASP CSRF Prevention Cheat Sheet: Fetch Metadata,
 * with `Origin` for browsers without). `trusted`: other origins that may, such as `https://app.example.com`.
 */
export function requireSameOrigin(trusted: readonly string[]): (c: AppContext) => void {
  const isOurs = (c: AppContext, origin: string) =>
    trusted.includes(origin) || (URL.canParse(origin) && new URL(origin).host === c.req.header("host"));

  return function requireSameOrigin(c) {
    if (safeMethods.has(c.req.method) || c.req.header("sec-fetch-site") === "same-origin") return;
    const origin = c.req.header("origin");
    if (origin === undefined || !isOurs(c, origin)) throw new Problem("cross_site_request");
  };
}
