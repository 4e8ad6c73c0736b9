import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { LogIn, TransactLogIn } from "../log-in.ts";
import type { SendMail } from "../mails.ts";
import type { OneTimeTokens } from "../one-time-tokens.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import type { AuthSettings } from "../settings.ts";
import type { AuthStore } from "../store.ts";
import { createAuthenticate } from "./authenticate.ts";
import type { Ceremonies } from "./ceremonies.ts";
import { createChallenges } from "./challenges.ts";
import { type RelyingParty, relyingPartyOf } from "./relying-party.ts";
import { createPasskeyService } from "./service.ts";
import { createPasskeyStore } from "./store.ts";

export interface OpenPasskeysDeps {
  readonly db: Db;
  readonly users: AuthStore;
  readonly oneTimeTokens: OneTimeTokens;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly transact: TransactLogIn;
  readonly logIn: Pick<LogIn, "open">;
  readonly sendMail: SendMail;
  readonly settings: Pick<AuthSettings, "publicUrl" | "corsOrigins">;
  readonly now: Now;
}

export type Passkeys = ReturnType<typeof openPasskeys>;

/** Puts the parts of passkeys together. */
export function openPasskeys(deps: OpenPasskeysDeps) {
  const { db, users, oneTimeTokens, assertRecentLogIn, transact, logIn, sendMail, settings, now } = deps;
  const store = createPasskeyStore(db);
  const ceremonies = lazyCeremonies(relyingPartyOf(settings));
  const challenges = createChallenges({ oneTimeTokens, transact });
  return {
    ...createPasskeyService({ users, store, ceremonies, challenges, transact, assertRecentLogIn, sendMail, now }),
    authenticate: createAuthenticate({ users, store, ceremonies, challenges, logIn, transact, now }),
  };
}

/** The library of the ceremonies takes 0.3 s to load, so it comes with the first one and not at the start. */
function lazyCeremonies(relyingParty: RelyingParty): Ceremonies {
  const load = async () => (await import("./ceremonies.ts")).createCeremonies(relyingParty);
  return {
    registrationOptions: async (user) => (await load()).registrationOptions(user),
    authenticationOptions: async () => (await load()).authenticationOptions(),
    verifyRegistration: async (response, challenge) => (await load()).verifyRegistration(response, challenge),
    verifyAuthentication: async (response, against) => (await load()).verifyAuthentication(response, against),
  };
}
