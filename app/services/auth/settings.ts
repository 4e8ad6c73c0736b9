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
  readonly apiKeysMax: number;
  /** Of one user; only administrators give a key more. */
  readonly requestsPerMinute: number;
  readonly oauth: {
    /** Where browsers reach this service. */
    readonly publicUrl: string;
    readonly providers: readonly ProviderSettings[];
    readonly returnOrigins: readonly string[];
  };
  /** How clients reach this installation, without a slash at the end. */
  readonly publicUrl: string;
  /** Whose pages may call this installation from a browser. */
  readonly corsOrigins: readonly string[];
  /** Zxcvbn score that a new password needs, 0 to 4. */
  readonly passwordScoreMin: number;
  /** So many passwords, the current one included, may not come again; 0: any may. */
  readonly passwordHistory: number;
  /** A service that speaks the range protocol of Have I Been Pwned. */
  readonly breachedPasswordsUrl: string | undefined;
  readonly emailVerification: "off" | "optional" | "required";
}
