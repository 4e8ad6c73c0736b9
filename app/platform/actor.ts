/** On whose authority a verb runs. */
export interface Actor {
  readonly userId: string;
  readonly role: "user" | "admin";
  /** What was shown to prove it. */
  readonly via: SessionCredential | ApiKeyCredential;
}

export interface SessionCredential {
  readonly kind: "session";
  readonly sessionId: string;
  /** The state of the session that the access token was made in. */
  readonly version: number;
}

export interface ApiKeyCredential {
  readonly kind: "api_key";
  readonly keyId: string;
  /** The state of the key that this was read from. */
  readonly version: number;
  /** A team's key acts for what belongs to the team, and for nothing else. */
  readonly teamId: string | undefined;
  readonly scopes: readonly string[];
  /** Requests per minute of the key's own. */
  readonly rateLimit: number | undefined;
}

/** To whom belongs what the actor makes: a team's key makes it for the team. */
export function ownershipOf({ userId, via }: Actor): { readonly ownerId: string; readonly teamId?: string } {
  const teamId = via.kind === "api_key" ? via.teamId : undefined;
  return teamId === undefined ? { ownerId: userId } : { ownerId: userId, teamId };
}

/** Facts about the request that caused a verb, for records and correlation; never for authority. */
export interface RequestOrigin {
  readonly requestId: string;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
  /** W3C Trace Context, as the request came with it. */
  readonly traceparent?: string | undefined;
}
