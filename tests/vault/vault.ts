import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Writable } from "node:stream";
import pino, { type Logger } from "pino";
import { openVault, type Vault, type VaultOptions } from "../../app/platform/vault/client.ts";
import type { VaultAuth } from "../../app/platform/vault/log-in.ts";
import { until } from "../until.ts";
import { startVaultServer, type VaultServer } from "./vault-server.ts";

/**
 * The Vault that the tests in this folder talk to: a loopback server of our own, or a real one, HashiCorp Vault or OpenBao, when `VAULT_ADDR` and
 * `VAULT_TOKEN` (one that may do everything; also `VAULT_CACERT` and `VAULT_NAMESPACE`) are in the environment:
 *
 *     vault server -dev -dev-root-token-id=root &
 *     VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=root bun test tests/vault
 *
 * Everything is set up through the API, in mounts with names of their own. What a real server can't be made to do is in files of its own, which always
 * run against ours: `faults.test.ts` (also log-in by Kubernetes, which takes a cluster, and namespaces), `outage.test.ts` and `tls.test.ts`.
 */
export interface TestVault {
  readonly kvMount: string;
  readonly transitMount: string;
  readonly rootAuth: VaultAuth;
  /** As the administrator: the answer, parsed. Throws when it is refused. */
  admin(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<unknown>;
  /** The name of a new policy. */
  policy(paths: Readonly<Record<string, readonly string[]>>): Promise<string>;
  createToken(settings: object): Promise<VaultAuth>;
  createAppRole(settings: object): Promise<VaultAuth & { readonly method: "approle" }>;
  /** Closed by `closeClients`, or with the rest. */
  open(auth: VaultAuth, options?: Partial<VaultOptions>): Promise<Vault>;
  /** So that their renewals are not in the way of the next test. */
  closeClients(): void;
  /** Also removes the mounts from a real server. */
  close(): Promise<void>;
}

export async function openTestVault(own?: VaultServer): Promise<TestVault> {
  const { VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, VAULT_NAMESPACE } = Bun.env;
  const started = own ?? (VAULT_ADDR ? undefined : await startVaultServer());
  const address = started?.address ?? VAULT_ADDR ?? "";
  const rootToken = started?.rootToken ?? VAULT_TOKEN ?? "";
  const namespace = started ? undefined : VAULT_NAMESPACE;
  const caCert = started || !VAULT_CACERT ? undefined : await readFile(VAULT_CACERT, "utf8");
  const suffix = randomBytes(4).toString("hex");
  const [kvMount, transitMount] = [`kv-${suffix}`, `transit-${suffix}`];
  const opened: Vault[] = [];
  let names = 0;

  const admin: TestVault["admin"] = async (method, path, body) => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { "X-Vault-Token": rootToken, "content-type": "application/json", ...(namespace ? { "X-Vault-Namespace": namespace } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(caCert ? { tls: { ca: caCert } } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };

  const closeClients = () => {
    for (const vault of opened.splice(0)) vault.close();
  };

  await admin("POST", `sys/mounts/${kvMount}`, { type: "kv", options: { version: "2" } });
  await admin("POST", `sys/mounts/${transitMount}`, { type: "transit" });
  await admin("POST", "sys/auth/approle", { type: "approle" }).catch((error: unknown) => {
    if (!String(error).includes("already in use")) throw error;
  });
  // A real server upgrades a new KV engine for a moment.
  await until("the KV engine is ready", () =>
    admin("POST", `${kvMount}/data/ready`, { data: {} }).then(
      () => true,
      () => false,
    ),
  );

  return {
    kvMount,
    transitMount,
    rootAuth: { method: "token", token: rootToken },
    admin,
    policy: async (paths) => {
      names += 1;
      const name = `keelson-test-${suffix}-${names}`;
      const path = Object.fromEntries(Object.entries(paths).map(([at, capabilities]) => [at, { capabilities }]));
      await admin("POST", `sys/policies/acl/${name}`, { policy: JSON.stringify({ path }) });
      return name;
    },
    createToken: async (settings) => ({
      method: "token",
      token: stringAt(await admin("POST", "auth/token/create", settings), "auth", "client_token"),
    }),
    createAppRole: async (settings) => {
      names += 1;
      const role = `auth/approle/role/keelson-test-${suffix}-${names}`;
      await admin("POST", role, settings);
      const roleId = stringAt(await admin("GET", `${role}/role-id`), "data", "role_id");
      const secretId = stringAt(await admin("POST", `${role}/secret-id`, {}), "data", "secret_id");
      return { method: "approle", roleId, secretId };
    },
    open: async (auth, options = {}) => {
      const vault = await openVault({
        address,
        namespace,
        auth,
        caCert,
        timeoutMs: 2_000,
        now: () => new Date(),
        log: capturedLog().log,
        ...options,
      });
      opened.push(vault);
      return vault;
    },
    closeClients,
    close: async () => {
      closeClients();
      if (!own) started?.close();
      if (!started) for (const mount of [kvMount, transitMount]) await admin("DELETE", `sys/mounts/${mount}`);
    },
  };
}

export function stringAt(value: unknown, ...path: readonly string[]): string {
  let found = value;
  for (const key of path) found = typeof found === "object" && found !== null ? Reflect.get(found, key) : undefined;
  if (typeof found !== "string") throw new Error(`there is no text at ${path.join(".")}`);
  return found;
}

export interface CapturedLog {
  readonly log: Logger;
  text(): string;
  /** How often this was logged. */
  count(message: string): number;
}

export function capturedLog(): CapturedLog {
  const lines: string[] = [];
  const into = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  return {
    log: pino({ level: "trace" }, into),
    text: () => lines.join(""),
    count: (message) => lines.filter((line) => line.includes(message)).length,
  };
}
