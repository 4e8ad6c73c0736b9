import type { Now } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { VaultUnavailable } from "./errors.ts";
import { type Grant, logIn, renewSelf, type VaultAuth } from "./log-in.ts";
import type { Send } from "./requests.ts";

export interface SessionOptions {
  readonly auth: VaultAuth;
  readonly send: Send;
  readonly closing: AbortSignal;
  readonly now: Now;
  readonly log: Logger;
}

export interface Session {
  /** A token that has not run out, as far as we know. */
  token(): Promise<string>;
  /** Another token after Vault refused this one; undefined when a new log-in would not help, or the last one was moments ago. */
  afterRefusal(refused: string): Promise<string | undefined>;
}

interface Held extends Grant {
  readonly since: number;
}

/** A 403 may come from a policy: then a new token is refused as well, and asking for one each time would only fill Vault with them. */
const logInsForRefusalsMs = 10_000;
/** Timers are no longer than 24 days, and tokens may be good for 32. */
const renewAfterMs = { min: 100, max: 24 * 3_600_000 };

/** Keeps a token: renews it at two thirds of its lease, and logs in anew when it can't be renewed for long enough. */
export function createSession({ auth, send, closing, now, log }: SessionOptions): Session {
  const canLogIn = auth.method !== "token";
  let held: Held | undefined;
  let firstLeaseMs = 0;
  let pending: Promise<Held> | undefined;
  let timer: Timer | undefined;
  let refusalAt = Number.NEGATIVE_INFINITY;
  closing.addEventListener("abort", () => clearTimeout(timer));

  return {
    token: async () => {
      if (held && leftMs(held) > 0) return held.token;
      return (await begin()).token;
    },
    afterRefusal: async (refused) => {
      if (pending) return (await pending).token;
      if (held && held.token !== refused) return held.token;
      if (!canLogIn || now().getTime() - refusalAt < logInsForRefusalsMs) return undefined;
      refusalAt = now().getTime();
      return (await begin()).token;
    },
  };

  function begin(): Promise<Held> {
    pending ??= logIn(auth, send)
      .then((grant) => {
        firstLeaseMs = grant.leaseMs;
        log.info({ method: auth.method, leaseMs: grant.leaseMs, renewable: grant.renewable }, "logged in to Vault");
        return hold(grant);
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  }

  function hold(grant: Grant): Held {
    const fresh = { ...grant, since: now().getTime() };
    held = fresh;
    if (grant.leaseMs > 0 && (grant.renewable || canLogIn)) wakeIn((grant.leaseMs * 2) / 3, fresh);
    else if (grant.leaseMs > 0) log.warn({ leaseMs: grant.leaseMs }, "the Vault token runs out and can't be renewed");
    return fresh;
  }

  function leftMs(grant: Held): number {
    return grant.leaseMs === 0 ? Number.POSITIVE_INFINITY : grant.since + grant.leaseMs - now().getTime();
  }

  function wakeIn(ms: number, grant: Held): void {
    clearTimeout(timer);
    if (closing.aborted) return;
    timer = setTimeout(() => void prolong(grant), Math.min(Math.max(ms, renewAfterMs.min), renewAfterMs.max));
    timer.unref();
  }

  /** Never rejects. While Vault is not reached it tries on for as long as the lease lasts; after that the next request logs in. */
  async function prolong(grant: Held): Promise<void> {
    try {
      if (!(await isRenewed(grant)) && canLogIn) await begin();
    } catch (error) {
      log.warn({ err: error }, "the Vault token was not renewed");
      const left = leftMs(grant);
      if (held === grant && left > 0) wakeIn(left / 3, grant);
    }
  }

  /** False when it is refused, or for so short that its longest life must be near. */
  async function isRenewed(grant: Held): Promise<boolean> {
    if (!grant.renewable) return false;
    try {
      const renewed = await renewSelf(grant.token, send);
      if (held !== grant) return true;
      const isShort = renewed.leaseMs < firstLeaseMs / 2;
      if (renewed.leaseMs === 0 || (isShort && canLogIn)) return false;
      hold(renewed);
      return true;
    } catch (error) {
      if (error instanceof VaultUnavailable) throw error;
      log.warn({ err: error }, "Vault does not renew the token");
      return false;
    }
  }
}
