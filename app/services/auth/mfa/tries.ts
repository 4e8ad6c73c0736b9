import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { networkOf } from "../../../platform/network.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { TransactLogIn } from "../log-in.ts";
import type { LockoutRule, PasswordStore } from "../passwords/store.ts";
import { createIsFamiliar, type Sightings } from "../sessions/familiarity.ts";

export interface TriesDeps {
  readonly store: Pick<PasswordStore, "counters" | "countFailure" | "forgetFailures" | "endWaits">;
  readonly sightings: Sightings;
  readonly now: Now;
}

export type Tries = ReturnType<typeof createTries>;

const forgetSeconds = 86_400;

/** Six digits can be guessed: the fifth try from one network, or the twentieth from all, makes the next one wait, and each further one twice as long. */
const rules = {
  network: { freeFailures: 4, firstSeconds: 30, secondsMax: 900, forgetSeconds },
  account: { freeFailures: 19, firstSeconds: 30, secondsMax: 900, forgetSeconds },
} as const satisfies Record<string, LockoutRule>;

/**
 * The tries at an account's second factor. From a network where the account has logged in lately only that network's own tries count, so that who
 * knows the password cannot keep the owner out from elsewhere.
 */
export function createTries({ store, sightings, now }: TriesDeps) {
  const isFamiliar = createIsFamiliar({ sightings, now });

  const countUnder = async (key: string, rule: LockoutRule): Promise<void> => {
    const at = now();
    if (await store.countFailure(key, { rule, at })) return;
    const [counter] = await store.counters([key]);
    const waitMs = (counter?.blockedUntil?.getTime() ?? 0) - at.getTime();
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1_000));
    throw new Problem("rate_limited", { detail: "Too many wrong codes.", retryAfterSeconds });
  };

  return {
    /** For good, so outside of any unit of work. Throws `Problem` (`rate_limited`) while the next try has to wait. */
    count: async (userId: string, origin: RequestOrigin): Promise<void> => {
      const network = networkFrom(origin);
      await countUnder(networkKey(userId, network), rules.network);
      if (!(await isFamiliar(userId, network))) await countUnder(accountKey(userId), rules.account);
    },

    /** After a right code from there. */
    forget: (unit: Unit, userId: string, origin: RequestOrigin): Promise<void> =>
      store.forgetFailures(networkKey(userId, networkFrom(origin)), unit.tx),

    /** The next try need not wait. What was counted stays: who reads the owner's mail must not get five new tries with each password reset. */
    endWaits: (unit: Pick<Unit, "tx">, userId: string): Promise<void> => store.endWaits(accountKey(userId), unit.tx),
  };
}

/** The unit of work ends here, to begin anew when the try has been counted. */
export class TryDue extends Error {
  override readonly name = "TryDue";
  readonly userId: string;
  readonly origin: RequestOrigin;

  constructor(userId: string, origin: RequestOrigin) {
    super("a try at a second factor has not been counted");
    this.userId = userId;
    this.origin = origin;
  }
}

/**
 * A try is counted before its code is looked at, and stays counted when the log-in is undone: of tries at once no more than the rules allow are
 * looked at. Whose try it is shows only in the unit of work, and one that waited in there for another connection could wait for itself. So the unit
 * is undone, the try counted, and the work done again.
 */
export function createTransactLogIn({
  transact,
  tries,
}: {
  readonly transact: Transact;
  readonly tries: Pick<Tries, "count">;
}): TransactLogIn {
  return async (work) => {
    try {
      return await transact((unit) => work({ ...unit, countedTryOf: undefined }));
    } catch (error) {
      if (!(error instanceof TryDue)) throw error;
      const { userId, origin } = error;
      await tries.count(userId, origin);
      return transact((unit) => work({ ...unit, countedTryOf: userId }));
    }
  };
}

function accountKey(userId: string): string {
  return `mfa:${userId}`;
}

function networkKey(userId: string, network: string): string {
  return `${accountKey(userId)} ${network}`;
}

function networkFrom({ ip }: RequestOrigin): string {
  return ip === undefined ? "unknown" : networkOf(ip);
}
