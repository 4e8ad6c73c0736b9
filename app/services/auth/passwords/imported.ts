import type { Now } from "../../../platform/clock.ts";
import { bcryptCostOf } from "./hashing.ts";
import type { PasswordStore } from "./store.ts";

const lookEveryMs = 3_600_000;

export type Imported = ReturnType<typeof createImported>;

/**
 * Whether accounts with bcrypt hashes are left, and of what cost: all log-ins then take the time that theirs take. It looks once an hour,
 * because the look reads every account; one that comes in between is known from its first log-in on.
 */
export function createImported({ store, now }: { readonly store: Pick<PasswordStore, "bcryptHash">; readonly now: Now }) {
  let cost: number | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return {
    cost: (): number | undefined => cost,
    met: (hash: string): void => {
      cost = bcryptCostOf(hash) ?? cost;
    },
    look: async (): Promise<undefined> => {
      if (now().getTime() - lookedAt < lookEveryMs) return;
      lookedAt = now().getTime();
      const hash = await store.bcryptHash();
      cost = hash === undefined ? undefined : bcryptCostOf(hash);
    },
  };
}
