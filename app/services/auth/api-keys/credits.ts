import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { apiKeyHardLimitCrossed, apiKeySoftLimitCrossed } from "./events.ts";
import type { ApiKeyStore, Spent } from "./store.ts";

export interface CreditDeps {
  readonly store: Pick<ApiKeyStore, "spend" | "noteLimitReached">;
  readonly transact: Transact;
  readonly now: Now;
  readonly log: Logger;
}

export interface Credits {
  /**
   * Part of the caller's unit of work; a unit that throws gives the credits back. `credits` is a finite number from 0. Throws `Problem`
   * `credit_limit_reached`: 402 and not 429, which clients would try again by themselves.
   */
  spend(unit: Unit, keyId: string, credits: number): Promise<Spent>;
  /** Resolves when what was refused has been noted. */
  settled(): Promise<void>;
}

export function createCredits({ store, transact, now, log }: CreditDeps): Credits {
  const noting = new Map<string, Promise<void>>();

  const note = (keyId: string): Promise<void> =>
    transact(async (unit) => {
      const row = await store.noteLimitReached(keyId, now(), unit.tx);
      if (!row || row.creditLimitHard === null) return;
      const data = { creditsUsed: row.creditsUsed, limit: row.creditLimitHard };
      unit.publish(apiKeyHardLimitCrossed, { subject: keyId, audience: row.ownerId, data });
    });

  // Not awaited by the refused unit: it is about to be rolled back, and may hold the lock on the row that the note is written to.
  const noteSoon = (keyId: string) => {
    if (noting.has(keyId)) return;
    const done = note(keyId)
      .catch((error: unknown) => log.warn({ err: error, keyId }, "could not note a reached credit limit; the next refusal tries again"))
      .finally(() => noting.delete(keyId));
    noting.set(keyId, done);
  };

  return {
    spend: async (unit, keyId, credits) => {
      if (!Number.isFinite(credits) || credits < 0) throw new RangeError(`credits must be a finite number from 0, not ${credits}`);
      const spent = await store.spend(keyId, credits, unit.tx);
      if (!spent) {
        noteSoon(keyId);
        throw new Problem("credit_limit_reached");
      }
      const { ownerId, creditsUsed, creditLimitSoft: limit } = spent;
      if (limit !== null && spent.crossedSoft)
        unit.publish(apiKeySoftLimitCrossed, { subject: keyId, audience: ownerId, data: { creditsUsed, limit } });
      return spent;
    },
    settled: async () => {
      await Promise.all(noting.values());
    },
  };
}
