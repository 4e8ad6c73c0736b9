import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { LogIn, TransactLogIn } from "../log-in.ts";
import type { SendMail } from "../mails.ts";
import type { OneTimeTokens } from "../one-time-tokens.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import type { SessionStore } from "../sessions/store.ts";
import type { AuthSettings } from "../settings.ts";
import type { AuthStore } from "../store.ts";
import { createFlows } from "./flows.ts";
import { createIdentities } from "./identities.ts";
import { createProviders } from "./providers.ts";
import { createOauthService, type OauthService } from "./service.ts";
import { createSignInCodes } from "./sign-in-codes.ts";
import { createIdentityStore } from "./store.ts";

export interface OpenOauthDeps {
  readonly db: Db;
  readonly users: AuthStore;
  readonly sessions: SessionStore;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly oneTimeTokens: OneTimeTokens;
  readonly transact: TransactLogIn;
  readonly logIn: Pick<LogIn, "open">;
  readonly sendMail: SendMail;
  readonly settings: Pick<AuthSettings, "oauth" | "signup">;
  readonly now: Now;
}

/** Each call to a provider gets this long. */
const timeoutSeconds = 5;

/** Puts the parts of log-in through providers together. It asks no provider before somebody wants to log in there. */
export function openOauth(deps: OpenOauthDeps): OauthService {
  const { db, users, sessions, oneTimeTokens, transact, logIn, sendMail, now } = deps;
  const { oauth, signup } = deps.settings;
  const store = createIdentityStore(db);
  const identities = createIdentities({ store, users, sendMail, signup, now });
  return createOauthService({
    findProvider: createProviders(oauth.providers, { timeoutSeconds, now }),
    flows: createFlows({ oneTimeTokens, transact, publicUrl: oauth.publicUrl }),
    codes: createSignInCodes({ store, oneTimeTokens, identities, logIn, transact }),
    identities,
    store,
    sessions,
    assertRecentLogIn: deps.assertRecentLogIn,
    transact,
    returnPolicy: oauth,
  });
}
