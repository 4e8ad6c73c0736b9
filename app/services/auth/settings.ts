import type { ProviderSettings } from "./oauth/provider-settings.ts";
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
  /** However much it is used, a session ends after this; then a fresh log-in is due. */
  readonly sessionMaxSeconds: number;
  readonly sessionsMax: number;
  readonly bindNetwork: boolean;
  readonly oauth: {
    /** Where browsers reach this service. */
    readonly publicUrl: string;
    readonly providers: readonly ProviderSettings[];
    readonly returnOrigins: readonly string[];
  };
}
