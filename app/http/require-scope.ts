import type { Actor } from "../platform/actor.ts";
import { Problem } from "../platform/errors.ts";
import { holdsScope, type ScopedService } from "../platform/scopes.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";

/** Whose routes they are, by what stands after `/v1/` or `/admin/`. What is not here takes no API key. */
const serviceOf: Readonly<Record<string, ScopedService>> = {
  me: "auth",
  users: "auth",
  invitations: "auth",
  teams: "auth",
  "api-keys": "auth",
  queues: "tasks",
  tasks: "tasks",
  schedules: "tasks",
  runs: "tasks",
  swarms: "tasks",
  exports: "tasks",
  imports: "tasks",
  events: "events",
  subscriptions: "events",
  "event-types": "events",
  chat: "ai",
  embeddings: "ai",
  moderations: "ai",
  models: "ai",
  responses: "ai",
  messages: "ai",
  ai: "ai",
  notifications: "notifications",
  topics: "notifications",
  templates: "notifications",
  sandbox: "sandbox",
  secrets: "secrets",
  "external-keys": "secrets",
  connections: "secrets",
  integrations: "secrets",
  admin: "secrets",
  audit: "secrets",
  compliance: "secrets",
};

/** A stolen key must not become a log-in, another key, an administrator or the end of an account (OWASP ASVS 5.0, 7.5 and 8.2): these take a person, whatever the scopes. */
const peopleOnly: readonly { readonly path: RegExp; readonly methods: RegExp }[] = [
  { path: /^\/v1\/auth(\/|$)/, methods: /./ },
  { path: /^\/v1\/(api-keys|users|invitations)(\/|$)/, methods: /^(?!GET|HEAD)/ },
  // Everything of the account is in there, whatever the key may read.
  { path: /^\/v1\/(exports|imports)(\/|$)/, methods: /./ },
  { path: /^\/v1\/me(\/|$)/, methods: /^DELETE$/ },
  { path: /^\/v1\/teams\/invitations(\/|$)/, methods: /./ },
];

/** What belongs to a person and not to a team, so that a team's key has no business there. */
const personal = new Set(["me", "users", "invitations", "api-keys"]);

/** Refuses API keys beyond their scopes; stands behind `authenticate`. Reading takes `<service>:read`, everything else `<service>:write`. */
export const requireScope: Check = (c) => {
  const { actor } = c.env;
  if (actor && actor.via.kind === "api_key") assertScope(c, actor);
};

function assertScope(c: AppContext, actor: Actor): void {
  const { method, path } = c.req;
  const segment = path.split("/")[2] ?? "";
  const service = Object.hasOwn(serviceOf, segment) ? serviceOf[segment] : undefined;
  if (!service || peopleOnly.some((rule) => rule.path.test(path) && rule.methods.test(method)))
    throw new Problem("insufficient_scope", { detail: "No API key may do this: log in instead." });
  if (actor.via.kind === "api_key" && actor.via.teamId !== undefined && personal.has(segment))
    throw new Problem("insufficient_scope", { detail: "A team's key acts for the team, not for a person." });
  const scope = `${service}:${method === "GET" || method === "HEAD" ? "read" : "write"}` as const;
  if (!holdsScope(actor, scope)) throw new Problem("insufficient_scope", { detail: `This needs the scope ${scope}.` });
}
