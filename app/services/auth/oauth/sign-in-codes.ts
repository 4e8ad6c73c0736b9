import { createHash } from "node:crypto";
import { z } from "zod";
import type { RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { LogIn, TransactLogIn } from "../log-in.ts";
import { hashToken, type OneTimeTokens } from "../one-time-tokens.ts";
import type { SignedIn } from "../schema.ts";
import type { Identities } from "./identities.ts";
import type { Profile } from "./provider.ts";
import type { IdentityStore } from "./store.ts";

export interface SignInCodeDeps {
  readonly store: Pick<IdentityStore, "prolongToken">;
  readonly oneTimeTokens: OneTimeTokens;
  readonly identities: Pick<Identities, "resolve">;
  readonly logIn: Pick<LogIn, "open">;
  readonly transact: TransactLogIn;
}

export interface Exchange {
  readonly code: string;
  readonly codeVerifier?: string | undefined;
  readonly totp?: string | undefined;
}

export type SignInCodes = ReturnType<typeof createSignInCodes>;

const purpose = "oauth_sign_in";
const lifetimeSeconds = 60;
/** Whoever is asked for a second factor has to find it first. */
const secondFactorSeconds = 300;

const codeData = z.object({
  provider: z.string(),
  codeChallenge: z.string().optional(),
  profile: z.object({ subject: z.string(), email: z.string().optional(), emailVerified: z.boolean(), name: z.string().optional() }),
});

/** One-use codes for what a provider said of somebody. Account, link and session come to be when the code is exchanged, all or nothing. */
export function createSignInCodes({ store, oneTimeTokens, identities, logIn, transact }: SignInCodeDeps) {
  return {
    /** With a challenge only the holder of its verifier can exchange the code. */
    issue: (provider: string, profile: Profile, codeChallenge?: string): Promise<string> =>
      transact((unit) => oneTimeTokens.issue(unit, { purpose, data: { provider, profile, codeChallenge }, lifetimeSeconds })),

    /** Throws `Problem`: `invalid_oauth_code`, `mfa_required` with the code to send again, and what `resolve` and the log-in throw; none of these uses the code up. */
    exchange: async ({ code, codeVerifier, totp }: Exchange, origin: RequestOrigin): Promise<SignedIn> => {
      try {
        return await transact(async (unit) => {
          const token = await oneTimeTokens.take(unit, purpose, code);
          if (!token) throw new Problem("invalid_oauth_code");
          const { provider, profile, codeChallenge } = codeData.parse(token.data);
          if (codeChallenge !== challengeOf(codeVerifier)) throw new Problem("invalid_oauth_code");
          const { email, name } = profile;
          const user = await identities.resolve(unit, { provider, profile: { ...profile, email, name }, origin });
          return logIn.open(unit, { user, method: "fed", totp, origin });
        });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "mfa_required") throw error;
        await store.prolongToken({ hash: hashToken(code), purpose, lifetimeSeconds: secondFactorSeconds });
        throw new Problem("mfa_required", {
          ...error.init,
          detail: "Send exchangeCode as code, with totp, to POST /v1/auth/oauth/exchange.",
          members: { exchangeCode: code },
        });
      }
    },
  };
}

function challengeOf(verifier: string | undefined): string | undefined {
  return verifier === undefined ? undefined : createHash("sha256").update(verifier).digest("base64url");
}
