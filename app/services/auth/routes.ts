import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppEnv } from "../../http/env.ts";
import { createRoutes, type Guards } from "../../http/route.ts";
import { accountRoutes } from "./accounts/routes.ts";
import { apiKeyRoutes } from "./api-keys/routes.ts";
import type { AuthService } from "./service.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { teamRoutes } from "./teams/routes.ts";
import { tokenRoutes } from "./tokens/routes.ts";
import { userRoutes } from "./users/routes.ts";

/** Each part lists its own routes. */
export function authRoutes({ auth, guards }: { readonly auth: AuthService; readonly guards: Guards }): OpenAPIHono<AppEnv> {
  const all = createRoutes();
  all.route("/", accountRoutes({ accounts: auth.accounts, guards }));
  all.route("/", sessionRoutes({ sessions: auth.sessions, refresh: auth.refresh, addToSession: auth.accounts.addToSession, guards }));
  all.route("/", userRoutes({ users: auth.users, guards }));
  all.route("/", tokenRoutes({ signingKeys: auth.signingKeys, guards }));
  all.route("/", apiKeyRoutes({ apiKeys: auth.apiKeys, guards }));
  all.route("/", teamRoutes({ teams: auth.teams, invitations: auth.invitations, guards }));
  return all;
}
