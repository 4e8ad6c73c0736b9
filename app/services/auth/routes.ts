import type { OpenAPIHono } from "@hono/zod-openapi";
import { createWhoAsks } from "../../http/authenticate.ts";
import type { AppContext, AppEnv } from "../../http/env.ts";
import { createRoutes, type Guards } from "../../http/route.ts";
import { accountRoutes } from "./accounts/routes.ts";
import { apiKeyRoutes } from "./api-keys/routes.ts";
import { emailRoutes } from "./email/routes.ts";
import { invitationRoutes } from "./invitations/routes.ts";
import { mfaRoutes } from "./mfa/routes.ts";
import { oauthRoutes } from "./oauth/routes.ts";
import { passkeyRoutes } from "./passkeys/routes.ts";
import { passwordRoutes } from "./passwords/routes.ts";
import type { AuthService } from "./service.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { teamRoutes } from "./teams/routes.ts";
import { tokenRoutes } from "./tokens/routes.ts";
import { userRoutes } from "./users/routes.ts";

export interface AuthRoutesDeps {
  readonly auth: AuthService;
  /** Asked before a cookie counts for a write. */
  readonly sameOrigin: (c: AppContext) => void;
  readonly guards: Guards;
}

/** Each part lists its own routes. */
export function authRoutes({ auth, sameOrigin, guards }: AuthRoutesDeps): OpenAPIHono<AppEnv> {
  const all = createRoutes();
  const whoAsks = createWhoAsks({ verify: auth.verify, sameOrigin });
  all.route("/", accountRoutes({ accounts: auth.accounts, guards }));
  all.route(
    "/",
    sessionRoutes({ sessions: auth.sessions, refresh: auth.refresh, addToSession: auth.accounts.addToSession, sameOrigin, guards }),
  );
  all.route("/", userRoutes({ users: auth.users, guards }));
  all.route("/", invitationRoutes({ invitations: auth.accountInvitations, guards }));
  all.route("/", mfaRoutes({ mfa: auth.mfa, guards }));
  all.route("/", passkeyRoutes({ passkeys: auth.passkeys, guards }));
  all.route("/", tokenRoutes({ signingKeys: auth.signingKeys, guards }));
  all.route("/", apiKeyRoutes({ apiKeys: auth.apiKeys, importApiKey: auth.importApiKey, guards }));
  all.route("/", teamRoutes({ teams: auth.teams, invitations: auth.invitations, guards }));
  all.route("/", oauthRoutes({ oauth: auth.oauth, guards }));
  all.route("/", passwordRoutes({ passwords: auth.passwords, whoAsks, guards }));
  all.route("/", emailRoutes({ email: auth.email, whoAsks, guards }));
  return all;
}
