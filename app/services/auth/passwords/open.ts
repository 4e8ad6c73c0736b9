import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Sightings } from "../sessions/familiarity.ts";
import type { AuthSettings } from "../settings.ts";
import type { AuthStore } from "../store.ts";
import { createIsBreached } from "./breached.ts";
import { createCheckPassword, createHoldChecked } from "./check.ts";
import { createPasswords } from "./hashing.ts";
import { createImported } from "./imported.ts";
import { createLockout } from "./lockout.ts";
import { createPasswordPolicy } from "./policy.ts";
import { createPasswordStore } from "./store.ts";
import { createEstimateStrength } from "./strength.ts";

export interface PasswordParts {
  readonly db: Db;
  readonly store: AuthStore;
  readonly sightings: Sightings;
  readonly transact: Transact;
  readonly settings: Pick<AuthSettings, "passwordScoreMin" | "passwordHistory" | "breachedPasswordsUrl">;
  readonly now: Now;
  readonly log: Logger;
}

/** What all log-ins and choices of passwords need, put together. Holds nothing open. */
export function openPasswords({ db, store, sightings, transact, settings, now, log }: PasswordParts) {
  const passwordStore = createPasswordStore(db);
  const imported = createImported({ store: passwordStore, now });
  const passwords = createPasswords({ importedCost: imported.cost });
  const lockout = createLockout({ store: passwordStore, sightings, now });
  const { breachedPasswordsUrl: url } = settings;
  const estimate = createEstimateStrength();
  const policy = createPasswordPolicy({
    estimate,
    isBreached: url === undefined ? undefined : createIsBreached({ url, log }),
    passwords,
    store: passwordStore,
    scoreMin: settings.passwordScoreMin,
    historyMax: settings.passwordHistory,
  });
  const checkPassword = createCheckPassword({ store, passwordStore, passwords, imported, lockout, transact });
  /** Begins to load what judging the first password would have to wait for. */
  const warm = (): void => {
    estimate("warm", []).catch((error: unknown) => log.warn({ err: error }, "could not load ahead what judges passwords"));
  };
  return { warm, passwordStore, imported, passwords, lockout, policy, checkPassword, holdChecked: createHoldChecked(passwordStore) };
}
