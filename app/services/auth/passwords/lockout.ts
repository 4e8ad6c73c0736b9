import { createHash } from "node:crypto";
import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { networkOf } from "../../../platform/network.ts";
import type { Unit } from "../../../platform/outbox.ts";
import { loginBlocked } from "../events.ts";
import { createIsFamiliar, type Sightings } from "../sessions/familiarity.ts";
import type { UserRow } from "../store.ts";
import type { FailureCounter, LockoutRule, PasswordStore } from "./store.ts";

const quarterOfAnHour = 900;
const hour = 3_600;
const day = 86_400;

/**
 * The account's own counter is gentle, because anybody can make it grow from anywhere. Always counted in this order, so that transactions
 * never wait for each other in a circle.
 */
const rules = {
  account_network: { freeFailures: 5, firstSeconds: 1, secondsMax: quarterOfAnHour, forgetSeconds: day },
  network: { freeFailures: 100, firstSeconds: 1, secondsMax: quarterOfAnHour, forgetSeconds: hour },
  account: { freeFailures: 20, firstSeconds: 1, secondsMax: 60, forgetSeconds: hour },
} as const satisfies Record<string, LockoutRule>;

type Scope = keyof typeof rules;
const scopes = ["account_network", "network", "account"] as const satisfies readonly Scope[];

/** One try to log in, whether or not there is such an account. */
export interface Try {
  readonly email: string;
  readonly user: UserRow | undefined;
  readonly keys: Readonly<Record<Scope, string>>;
  /** What may block this try. */
  readonly applies: readonly Scope[];
  readonly origin: RequestOrigin;
}

export type Lockout = ReturnType<typeof createLockout>;

export interface LockoutDeps {
  readonly store: Pick<PasswordStore, "counters" | "countFailure" | "forgetFailures" | "forgetFailuresUnder" | "deleteOldFailures">;
  readonly sightings: Sightings;
  readonly now: Now;
}

/**
 * Makes guessing slow (OWASP ASVS 5.0, 6.3.1) with growing waits per account and network, per network, and per account. From a network
 * where the account has logged in within 30 days only the first of these holds, so that nobody can keep its owner out from elsewhere.
 * Unknown accounts are counted like the others.
 */
export function createLockout({ store, sightings, now }: LockoutDeps) {
  const isFamiliar = createIsFamiliar({ sightings, now });

  /** Returns the counters that apply. */
  const assertOpen = async ({ keys, applies }: Try): Promise<readonly FailureCounter[]> => {
    const counters = await store.counters(applies.map((scope) => keys[scope]));
    const at = now();
    const until = lastBlock(counters, at);
    if (until) throw blocked(until, at);
    return counters;
  };

  return {
    begin: async (email: string, user: UserRow | undefined, origin: RequestOrigin): Promise<Try> => {
      const network = origin.ip === undefined ? "unknown" : networkOf(origin.ip);
      const familiar = await isFamiliar(user?.id ?? "", network);
      return { email, user, origin, keys: keysOf(email, network), applies: familiar ? ["account_network"] : scopes };
    },

    /** Throws `Problem` (`rate_limited`) while the try must wait. */
    assertOpen: async (attempt: Try): Promise<void> => {
      await assertOpen(attempt);
    },

    /**
     * Counts a failure; part of the caller's unit of work, which must not be the one that the refusal rolls back. The problem to answer
     * with when a block has begun since the try began: tries at once learn nothing that tries one by one would not.
     */
    fail: async (unit: Unit, attempt: Try): Promise<Problem | undefined> => {
      const at = now();
      let refusedUntil: Date | undefined;
      for (const scope of scopes) {
        const rule = rules[scope];
        const counted = await store.countFailure(attempt.keys[scope], { rule, at }, unit.tx);
        if (counted?.blockedUntil) announce(unit, attempt, { scope, failures: counted.failures });
        if (!counted && attempt.applies.includes(scope))
          refusedUntil = lastBlock(await store.counters([attempt.keys[scope]], unit.tx), at) ?? at;
      }
      return refusedUntil && blocked(refusedUntil, at);
    },

    /** Throws `Problem` (`rate_limited`) when a block has begun since the try began, even though the password was right. */
    succeed: async (attempt: Try): Promise<void> => {
      const { account_network: key } = attempt.keys;
      const counters = await assertOpen(attempt);
      if (counters.some((counter) => counter.key === key)) await store.forgetFailures(key);
    },

    /** Whoever proves to own the mailbox begins anew. */
    clear: async (unit: Pick<Unit, "tx">, email: string): Promise<void> => {
      await store.forgetFailures(accountKey(email), unit.tx);
      await store.forgetFailuresUnder(pairPrefix(email), unit.tx);
    },

    /** Returns how many went. */
    purge: (): Promise<number> => store.deleteOldFailures(new Date(now().getTime() - (day + hour) * 1_000)),
  };
}

function announce(unit: Unit, { user, origin }: Try, data: { readonly scope: Scope; readonly failures: number }): void {
  // A network's block is not about the account of the last try.
  const about = user && data.scope !== "network" ? { subject: user.id, audience: user.id } : {};
  unit.publish(loginBlocked, { ...about, origin, data });
}

/** When the last block ends; undefined when none is on. */
function lastBlock(counters: readonly FailureCounter[], at: Date): Date | undefined {
  const ends = counters.map(({ blockedUntil }) => blockedUntil?.getTime() ?? 0);
  const last = Math.max(0, ...ends);
  return last > at.getTime() ? new Date(last) : undefined;
}

function blocked(until: Date, at: Date): Problem {
  const retryAfterSeconds = Math.max(1, Math.ceil((until.getTime() - at.getTime()) / 1_000));
  return new Problem("rate_limited", { detail: "There were too many failed tries. Wait before the next one.", retryAfterSeconds });
}

/** Addresses are kept as digests: what people mistype into the field is often a password. */
function keysOf(email: string, network: string): Record<Scope, string> {
  return { account_network: `${pairPrefix(email)}${network}`, network: `network ${network}`, account: accountKey(email) };
}

function pairPrefix(email: string): string {
  return `${digestOf(email)} `;
}

function accountKey(email: string): string {
  return digestOf(email);
}

function digestOf(email: string): string {
  return createHash("sha256").update(email.toLowerCase()).digest("base64url");
}
