import { randomBytes, randomUUID } from "node:crypto";
import { type Body, Refusal, textOf } from "./vault-engines.ts";

export interface Token {
  readonly id: string;
  readonly policies: readonly string[];
  readonly createdAt: number;
  readonly ttlMs: number;
  /** Infinity for a root token. */
  expiresAt: number;
  readonly endsAt: number;
  readonly renewable: boolean;
}

interface Role {
  readonly roleId: string;
  readonly secretIds: Set<string>;
  readonly settings: Body;
}

export interface ServiceAccount {
  readonly name: string;
  readonly namespace: string;
}

interface Life {
  readonly policies: readonly string[];
  readonly ttl: unknown;
  readonly maxTtl: unknown;
  readonly renewable?: boolean;
}

const denied = () => new Refusal(403, "permission denied");
const systemMaxMs = 768 * 3_600_000;

/** Tokens and the log-in methods AppRole and Kubernetes (API documentation of each). */
export function createAuth() {
  const tokens = new Map<string, Token>();
  const roles = new Map<string, Role>();
  const kubernetesRoles = new Map<string, Body>();
  /** What the cluster would answer to a TokenReview of these JWTs. */
  const serviceAccounts = new Map<string, ServiceAccount>();

  const root: Token = {
    id: `hvs.${randomBytes(18).toString("base64url")}`,
    policies: ["root"],
    createdAt: Date.now(),
    ttlMs: 0,
    expiresAt: Number.POSITIVE_INFINITY,
    endsAt: Number.POSITIVE_INFINITY,
    renewable: false,
  };
  tokens.set(root.id, root);

  const issue = ({ policies, ttl, maxTtl, renewable = true }: Life) => {
    const maxMs = toMs(maxTtl) || systemMaxMs;
    const ttlMs = Math.min(toMs(ttl) || systemMaxMs, maxMs);
    const createdAt = Date.now();
    const id = `hvs.${randomBytes(18).toString("base64url")}`;
    const token = { id, policies, createdAt, ttlMs, expiresAt: createdAt + ttlMs, endsAt: createdAt + maxMs, renewable };
    tokens.set(id, token);
    return authOf(token, ttlMs);
  };
  const issueFor = (settings: Body) =>
    issue({
      policies: ["default", ...listOf(settings.token_policies)],
      ttl: settings.token_ttl,
      maxTtl: settings.token_max_ttl,
      renewable: settings.token_type !== "batch",
    });

  const logInByApprole = (body: Body) => {
    const role = [...roles.values()].find(({ roleId }) => roleId === body.role_id);
    if (!role?.secretIds.has(textOf(body, "secret_id"))) throw new Refusal(400, "invalid role or secret ID");
    return issueFor(role.settings);
  };
  const logInByKubernetes = (body: Body) => {
    const settings = kubernetesRoles.get(textOf(body, "role"));
    if (!settings) throw new Refusal(400, `invalid role name "${textOf(body, "role")}"`);
    const account = serviceAccounts.get(textOf(body, "jwt"));
    if (!account) throw denied();
    const isBound = listOf(settings.bound_service_account_names).includes(account.name);
    if (!isBound || !listOf(settings.bound_service_account_namespaces).includes(account.namespace)) throw denied();
    return issueFor(settings);
  };
  const renew = (token: Token) => {
    if (!token.renewable) throw new Refusal(400, "lease is not renewable");
    token.expiresAt = Math.min(Date.now() + token.ttlMs, token.endsAt);
    return authOf(token, token.expiresAt - Date.now());
  };
  const lookUp = (token: Token) => {
    const ends = Number.isFinite(token.expiresAt);
    return {
      id: token.id,
      policies: token.policies,
      ttl: ends ? Math.floor((token.expiresAt - Date.now()) / 1_000) : 0,
      creation_ttl: token.ttlMs / 1_000,
      expire_time: ends ? new Date(token.expiresAt).toISOString() : null,
      renewable: token.renewable,
    };
  };
  const approleRole = (name: string, verb: string | undefined, body: Body) => {
    const role = roles.get(name) ?? { roleId: randomUUID(), secretIds: new Set<string>(), settings: body };
    roles.set(name, role);
    if (verb === "role-id") return { role_id: role.roleId };
    if (verb !== "secret-id") return undefined;
    const secret_id = randomUUID();
    role.secretIds.add(secret_id);
    return { secret_id };
  };

  return {
    root,
    serviceAccounts,
    /** Undefined when there is none, or not any more. */
    find: (id: string): Token | undefined => {
      const token = tokens.get(id);
      return token && Math.min(token.expiresAt, token.endsAt) > Date.now() ? token : undefined;
    },
    /** `auth` of the answer. */
    logIn: (path: string, body: Body) => {
      if (path === "auth/approle/login") return logInByApprole(body);
      if (path === "auth/kubernetes/login") return logInByKubernetes(body);
      return undefined;
    },
    /** What `default` allows, and what the administrator sets up. */
    handle: (token: Token, path: string, body: Body): { readonly auth?: object; readonly data?: unknown } => {
      const [, method, kind, name = "", verb] = path.split("/");
      if (path === "auth/token/lookup-self") return { data: lookUp(token) };
      if (path === "auth/token/renew-self") return { auth: renew(token) };
      if (path === "auth/token/revoke") return { data: void tokens.delete(textOf(body, "token")) };
      if (path === "auth/token/create")
        return {
          auth: issue({
            policies: [...(body.no_default_policy === true ? [] : ["default"]), ...listOf(body.policies)],
            ttl: body.ttl,
            maxTtl: body.explicit_max_ttl,
            renewable: body.renewable !== false,
          }),
        };
      if (method === "approle" && kind === "role") return { data: approleRole(name, verb, body) };
      if (method === "kubernetes" && kind === "role") return { data: void kubernetesRoles.set(name, body) };
      if (method === "kubernetes" && kind === "config") return {};
      throw new Refusal(404, `no handler for route "${path}". route entry not found.`);
    },
  };
}

function authOf(token: Token, leaseMs: number) {
  return {
    client_token: token.id,
    accessor: randomBytes(12).toString("hex"),
    policies: token.policies,
    lease_duration: Math.floor(leaseMs / 1_000),
    renewable: token.renewable,
    token_type: "service",
  };
}

/** Durations are seconds, or numbers with a unit. */
function toMs(duration: unknown): number {
  if (typeof duration === "number") return duration * 1_000;
  const [, number, unit] = /^(\d+)([smh]?)$/.exec(String(duration ?? "")) ?? [];
  return Number(number ?? 0) * (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : 1_000);
}

function listOf(value: unknown): string[] {
  if (typeof value === "string") return value.split(",");
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
