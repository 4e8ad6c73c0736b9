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
  readonly teamId: string | undefined;
  readonly scopes: readonly string[];
}

/** Facts about the request that caused a verb, for records and correlation; never for authority. */
export interface RequestOrigin {
  readonly requestId: string;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
}
