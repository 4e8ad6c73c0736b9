import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createAuth, type ServiceAccount, type Token } from "./vault-auth.ts";
import { type Body, createKvEngine, createTransitEngine, type Engine, Refusal, type TransitEngine, textOf } from "./vault-engines.ts";

/** What can go wrong on the way: a refusal without a reason of its own, a late answer, none, half of one, a cut connection, before the work or after it. */
export type Fault =
  | { readonly status: number; readonly error: string }
  | { readonly redirect: string }
  | { readonly answerAfter: Promise<unknown> }
  | "hang"
  | "half"
  | "cut"
  | "cut after";

export interface VaultServer {
  readonly address: string;
  readonly rootToken: string;
  readonly serviceAccounts: Map<string, ServiceAccount>;
  /** Method and path of each request, oldest first. */
  readonly requests: string[];
  /** Asked for each request. */
  fault: (request: string) => Fault | undefined;
  sealed: boolean;
  /** A mounted transit engine. */
  transit(mount: string): TransitEngine;
  close(): void;
}

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body: Body;
  readonly token: string;
  readonly namespace: string;
}

const capabilities: Readonly<Record<string, string>> = { GET: "read", DELETE: "delete", LIST: "list" };
const allowedByDefault = ["auth/token/lookup-self", "auth/token/renew-self"];

/** A loopback server that speaks Vault's documented HTTP API, as far as we use it, with the meaning that is documented. */
export async function startVaultServer(tls?: { readonly key: string; readonly cert: string }): Promise<VaultServer> {
  const auth = createAuth();
  const mounts = new Map<string, Engine>();
  const policies = new Map<string, Record<string, readonly string[]>>();
  const listener = (request: IncomingMessage, response: ServerResponse) => void serve(request, response);
  const http = tls ? createSecureServer({ ...tls }, listener) : createServer(listener);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", () => resolve()));
  const bound = http.address();
  const port = typeof bound === "object" ? bound?.port : undefined;

  const server: VaultServer = {
    address: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    rootToken: auth.root.id,
    serviceAccounts: auth.serviceAccounts,
    requests: [],
    fault: () => undefined,
    sealed: false,
    transit: (mount) => {
      const engine = mounts.get(`/${mount}`);
      if (!engine || !isTransit(engine)) throw new Error(`${mount} is no transit engine`);
      return engine;
    },
    close: () => {
      http.closeAllConnections();
      http.close();
    },
  };
  return server;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ask = await read(request);
    const label = `${ask.method} ${ask.path}`;
    server.requests.push(label);
    const fault = server.fault(label);
    if (fault === "hang") return;
    if (fault === "cut") return void request.socket.destroy();
    if (typeof fault === "object" && "redirect" in fault) return void response.writeHead(307, { location: fault.redirect }).end();
    const { status, body } = typeof fault === "object" && "error" in fault ? refuse(new Refusal(fault.status, fault.error)) : answer(ask);
    if (typeof fault === "object" && "answerAfter" in fault) await fault.answerAfter;
    if (fault === "cut after") return void request.socket.destroy();
    const text = body === undefined ? "" : JSON.stringify(body);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    if (fault === "half") response.write(text.slice(0, text.length / 2));
    else response.end(text);
  }

  function answer(ask: Ask): { readonly status: number; readonly body?: unknown } {
    try {
      if (ask.path === "sys/seal-status")
        return { status: 200, body: { sealed: server.sealed, initialized: true, type: "shamir", t: 1, n: 1 } };
      if (ask.path === "sys/health")
        return { status: server.sealed ? 503 : 200, body: { initialized: true, sealed: server.sealed, standby: false } };
      if (server.sealed) throw new Refusal(503, "Vault is sealed");
      const { auth: granted = null, data = null } = dispatch(ask);
      if (granted === null && data === null) return { status: 204 };
      return { status: 200, body: envelope({ data, auth: granted }) };
    } catch (error) {
      if (error instanceof Refusal) return refuse(error);
      return refuse(new Refusal(500, String(error)));
    }
  }

  function dispatch(ask: Ask): { readonly auth?: object; readonly data?: unknown } {
    const granted = ask.method === "POST" ? auth.logIn(ask.path, ask.body) : undefined;
    if (granted) return { auth: granted };
    const token = auth.find(ask.token);
    if (!token) throw new Refusal(403, "permission denied");
    const [mount, engine] = mountOf(ask) ?? [];
    const rest = `${ask.namespace}/${ask.path}`.slice((mount ?? "").length + 1);
    if (!isAllowed(token, ask, engine?.exists(rest) === true)) throw new Refusal(403, "1 error occurred:\n\t* permission denied\n\n");
    if (ask.path.startsWith("auth/")) return auth.handle(token, ask.path, ask.body);
    if (ask.path.startsWith("sys/")) return administer(ask);
    if (!engine) throw new Refusal(404, `no handler for route "${ask.path}". route entry not found.`);
    return { data: engine.handle(ask.method, rest, ask.body) };
  }

  /** By `namespace/mount`, the longest first. */
  function mountOf({ namespace, path }: Ask): [string, Engine] | undefined {
    const found = [...mounts].filter(([mount]) => `${namespace}/${path}`.startsWith(`${mount}/`));
    return found.sort(([one], [two]) => two.length - one.length)[0];
  }

  function isAllowed(token: Token, { method, path }: Ask, exists: boolean): boolean {
    if (token.policies.includes("root")) return true;
    if (token.policies.includes("default") && allowedByDefault.includes(path)) return true;
    const needed = capabilities[method] ?? (exists ? "update" : "create");
    return token.policies
      .flatMap((name) => Object.entries(policies.get(name) ?? {}))
      .some(([pattern, granted]) => granted.includes(needed) && matches(pattern, path));
  }

  function administer({ method, path, body, namespace }: Ask): { readonly data?: unknown } {
    const [, kind, ...rest] = path.split("/");
    if (kind === "mounts" && method === "DELETE") return { data: void mounts.delete(`${namespace}/${rest.join("/")}`) };
    if (method !== "POST") throw new Refusal(405, "unsupported operation");
    if (kind === "mounts") {
      const name = `${namespace}/${rest.join("/")}`;
      if (mounts.has(name)) throw new Refusal(400, `path is already in use at ${rest.join("/")}/`);
      mounts.set(name, textOf(body, "type") === "transit" ? createTransitEngine() : createKvEngine());
    } else if (kind === "policies") policies.set(rest[1] ?? "", policyOf(textOf(body, "policy")));
    else if (kind !== "auth" && kind !== "namespaces") throw new Refusal(404, `no handler for route "${path}". route entry not found.`);
    return {};
  }
}

async function read(request: IncomingMessage): Promise<Ask> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const parsed: unknown = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
  const url = new URL(request.url ?? "/", "http://vault");
  const namespace = headerOf(request, "x-vault-namespace").replace(/\/$/, "");
  return {
    method: request.method === "PUT" ? "POST" : (request.method ?? "GET"),
    path: decodeURIComponent(url.pathname).replace(/^\/v1\//, ""),
    body: isBody(parsed) ? parsed : {},
    token: headerOf(request, "x-vault-token"),
    namespace,
  };
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === "string" ? value : "";
}

function isTransit(engine: Engine): engine is TransitEngine {
  return "ignoresAssociatedData" in engine;
}

function isBody(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Policies are HCL, of which JSON is another spelling. */
function policyOf(text: string): Record<string, readonly string[]> {
  const parsed: { path: Record<string, { capabilities: string[] }> } = JSON.parse(text);
  return Object.fromEntries(Object.entries(parsed.path).map(([path, rule]) => [path, rule.capabilities]));
}

/** `*` at the end is any rest, `+` is one segment. */
function matches(pattern: string, path: string): boolean {
  const source = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replace(/\\\*$/, ".*").replaceAll("\\+", "[^/]+")}$`).test(path);
}

function refuse({ status, message, data }: Refusal) {
  if (data !== undefined) return { status, body: envelope({ data, auth: null }) };
  return { status, body: { errors: message === "" ? [] : [message] } };
}

function envelope(parts: { readonly data: unknown; readonly auth: unknown }) {
  return { request_id: randomUUID(), lease_id: "", renewable: false, lease_duration: 0, wrap_info: null, warnings: null, ...parts };
}
