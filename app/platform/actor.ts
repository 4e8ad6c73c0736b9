/** On whose authority a verb runs. */
export interface Actor {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: "user" | "admin";
}

/** Facts about the request that caused a verb, for records and correlation; never for authority. */
export interface RequestOrigin {
  readonly requestId: string;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
}
