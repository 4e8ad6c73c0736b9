import { Agent } from "node:http";
import nodeVault from "node-vault";
import type { z } from "zod";
import { pause } from "../bus/keep-running.ts";
import { withDeadline } from "../deadline.ts";
import { toVaultError, VaultError, VaultUnavailable } from "./errors.ts";

export interface VaultRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below `/v1/`, made of `pathOf`. */
  readonly path: string;
  readonly body?: object;
  readonly token?: string;
}

/** The body of the answer; rejects with a `VaultError`. */
export type Send = (request: VaultRequest) => Promise<unknown>;

export interface SendOptions {
  readonly address: string;
  readonly namespace: string | undefined;
  /** PEM; replaces the authorities that the system trusts. */
  readonly caCert: string | undefined;
  /** Of one try. With its repetitions a request ends within twice that. */
  readonly timeoutMs: number;
  /** Aborted, it ends the waits between tries. */
  readonly closing: AbortSignal;
}

const triesMax = 4;
const backOffMs = 100;

/** Sends requests through node-vault, and again when Vault was not reached or says "not now". */
export function createSend({ address, namespace, caCert, timeoutMs, closing }: SendOptions): Send {
  // Its debug output shows bodies; and what it is not told it takes from the environment, `VAULT_SKIP_VERIFY` and a prefix for paths among it.
  const settings = { endpoint: address, debug: () => undefined, rpDefaults: { strictSSL: true }, requestOptions: tlsOf(caCert) };
  const client = nodeVault(settings);
  Object.assign(client, { token: "", namespace: namespace ?? "", pathPrefix: "" });
  const agents = address.startsWith("https:") ? { httpAgent: new SecureOnly() } : {};

  const once = async ({ method, path, body, token }: VaultRequest, ms: number): Promise<unknown> => {
    const headers = { ...(token === undefined ? {} : { "X-Vault-Token": token }), "X-Vault-Request": "true" };
    const sent = client.request({
      method,
      path: `/${path}`,
      headers,
      timeout: ms,
      ...agents,
      ...(body === undefined ? {} : { json: body }),
    });
    // The client's own limit leaves out some ways to hang, such as a name that is not resolved.
    return await withDeadline("an answer of Vault", ms + 250, sent);
  };

  return async (request) => {
    const endsAt = performance.now() + timeoutMs * 2;
    for (let tried = 1; ; tried += 1) {
      try {
        return await once(request, Math.max(1, Math.min(timeoutMs, endsAt - performance.now())));
      } catch (thrown) {
        const error = toVaultError(thrown, `${request.method} ${request.path}`);
        const waitMs = backOffMs * 2 ** (tried - 1) * (0.75 + Math.random() / 2);
        const again = error instanceof VaultUnavailable && tried < triesMax && performance.now() + waitMs < endsAt;
        if (!again || closing.aborted) throw error;
        await pause(waitMs, closing);
      }
    }
  };
}

function tlsOf(caCert: string | undefined) {
  return caCert === undefined ? {} : { ca: caCert };
}

/** A standby may redirect to the active server; that must not take the token to where anybody can read it. */
class SecureOnly extends Agent {
  override createConnection(): never {
    throw new Error("a redirect from https to http was refused");
  }
}

/** A path of given parts, each of which may have slashes. Throws on what a URL would resolve to another place. */
export function pathOf(...parts: readonly string[]): string {
  const segments = parts.flatMap((part) => part.split("/"));
  if (segments.some((segment) => ["", ".", ".."].includes(segment))) throw new TypeError(`not a path in Vault: ${parts.join("/")}`);
  return segments.map(encodeURIComponent).join("/");
}

/** Throws a `VaultError` that shows nothing of the answer. */
export function parseAnswer<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success)
    throw new VaultError("Vault's answer has another form than its documentation says: is something else at this address?");
  return parsed.data;
}
