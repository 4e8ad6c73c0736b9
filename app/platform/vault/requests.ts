import type { z } from "zod";
import { pause } from "../bus/keep-running.ts";
import { toVaultError, VaultError, VaultUnavailable } from "./errors.ts";
import { createTransport } from "./transport.ts";

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

/** Loaded when it is first needed: most installations have no Vault. */
async function openNodeVault({ address, namespace, caCert }: SendOptions) {
  const { default: nodeVault } = await import("node-vault");
  // Its debug output shows bodies, and what it is not told it takes from the environment: a token, a namespace, a prefix for paths.
  const client = nodeVault({ endpoint: address, debug: () => undefined, "request-promise": createTransport(caCert) });
  return Object.assign(client, { token: "", namespace: namespace ?? "", pathPrefix: "" });
}

/** Sends requests through node-vault, and again when Vault was not reached or says "not now". */
export function createSend(options: SendOptions): Send {
  const { timeoutMs, closing } = options;
  let client: ReturnType<typeof openNodeVault> | undefined;

  const once = async ({ method, path, body, token }: VaultRequest, timeout: number): Promise<unknown> => {
    const headers = { "X-Vault-Request": "true", ...(token === undefined ? {} : { "X-Vault-Token": token }) };
    client ??= openNodeVault(options);
    return await (await client).request({ method, path: `/${path}`, headers, timeout, ...(body === undefined ? {} : { json: body }) });
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
        if (again) await pause(waitMs, closing);
        if (!again || closing.aborted) throw error;
      }
    }
  };
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
