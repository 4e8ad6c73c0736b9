import type { Now } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { VaultForbidden } from "./errors.ts";
import type { VaultAuth } from "./log-in.ts";
import { createSend, type VaultRequest } from "./requests.ts";
import { createSession } from "./session.ts";

export interface VaultOptions {
  readonly address: string;
  readonly namespace: string | undefined;
  readonly auth: VaultAuth;
  /** The authority that signed Vault's certificate, as PEM; without it those that the system trusts. */
  readonly caCert: string | undefined;
  /** Of one try; a call with its repetitions ends within twice that. */
  readonly timeoutMs: number;
  readonly now: Now;
  readonly log: Logger;
}

/** Paths are below `/v1/` and made of `pathOf`. All reject with a `VaultError`. */
export interface Vault {
  read(path: string): Promise<unknown>;
  write(path: string, body: object): Promise<unknown>;
  delete(path: string): Promise<void>;
  /** Ends renewal and waiting. The token runs out by itself. */
  close(): void;
}

/** Connects to HashiCorp Vault or OpenBao and logs in. Throws `VaultForbidden` when that is refused, `VaultUnavailable` when it is not reached. */
export async function openVault({ auth, now, log, ...options }: VaultOptions): Promise<Vault> {
  const closing = new AbortController();
  const send = createSend({ ...options, closing: closing.signal });
  const session = createSession({ auth, send, closing: closing.signal, now, log });

  const call = async (request: VaultRequest): Promise<unknown> => {
    const token = await session.token();
    try {
      return await send({ ...request, token });
    } catch (error) {
      if (!(error instanceof VaultForbidden)) throw error;
      const another = await session.afterRefusal(token);
      if (another === undefined) throw error;
      return await send({ ...request, token: another });
    }
  };

  await session.token();
  return {
    read: (path) => call({ method: "GET", path }),
    write: (path, body) => call({ method: "POST", path, body }),
    delete: async (path) => {
      await call({ method: "DELETE", path });
    },
    close: () => closing.abort(),
  };
}
