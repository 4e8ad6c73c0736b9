import type { SigningAlgorithm } from "./tokens/signing-key.ts";

/** What an operator may set; `app/config.ts` has the names and defaults. */
export interface AuthSettings {
  readonly issuer: string;
  readonly signup: "open" | "invite" | "closed";
  readonly tokenAlgorithm: SigningAlgorithm;
  readonly signingKeyDays: number;
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  readonly refreshGraceSeconds: number;
  readonly sessionIdleSeconds: number;
  readonly sessionsMax: number;
  readonly bindNetwork: boolean;
  readonly apiKeysMax: number;
}
