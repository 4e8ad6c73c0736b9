/** Whom passkeys belong to, and which pages may use them (WebAuthn Level 3 §5.1.2 and §13.4.9). */
export interface RelyingParty {
  /** A host name, never an address: browsers take no other. */
  readonly id: string;
  readonly allows: (origin: string) => boolean;
}

/**
 * Passkeys belong to the host of `publicUrl`; pages of that origin use them, and those of `corsOrigins` on the same host or below it. An
 * installation that is tried out on this machine is `localhost`, on whatever port the page has.
 */
export function relyingPartyOf({
  publicUrl,
  corsOrigins,
}: {
  readonly publicUrl: string;
  readonly corsOrigins: readonly string[];
}): RelyingParty {
  const { hostname, origin: home } = new URL(publicUrl);
  const isLocal = isLoopback(hostname);
  const id = isLocal ? "localhost" : hostname;
  const allowed = new Set([home, ...corsOrigins].filter((origin) => isWithin(new URL(origin).hostname, id)));
  return { id, allows: (origin) => allowed.has(origin) || (isLocal && localPage.test(origin)) };
}

const localPage = /^http:\/\/localhost(?::\d{1,5})?$/;

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

function isWithin(hostname: string, id: string): boolean {
  return hostname === id || hostname.endsWith(`.${id}`);
}
