import type { RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { loginFailed } from "../events.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { Passwords } from "./hashing.ts";
import type { Imported } from "./imported.ts";
import type { Lockout, Try } from "./lockout.ts";
import type { PasswordStore } from "./store.ts";

/**
 * The account that the password opens. Throws `Problem`: `invalid_credentials`, the same and after the same time for a wrong password, an
 * unknown account and one that has no password; `rate_limited` after too many failures, also for the right password and for accounts that
 * do not exist.
 */
export type CheckPassword = (credentials: { readonly email: string; readonly password: string }, origin: RequestOrigin) => Promise<UserRow>;

export interface CheckPasswordDeps {
  readonly store: Pick<AuthStore, "findUserByEmail">;
  readonly passwordStore: Pick<PasswordStore, "replaceHash">;
  readonly passwords: Passwords;
  readonly imported: Pick<Imported, "met">;
  readonly lockout: Pick<Lockout, "begin" | "assertOpen" | "fail" | "succeed">;
  readonly transact: Transact;
}

export function createCheckPassword(deps: CheckPasswordDeps): CheckPassword {
  const { store, passwords, lockout, transact } = deps;

  /** In a transaction of its own: the refusal that follows must not undo the count. */
  const refuse = async (attempt: Try): Promise<never> => {
    const { user, origin } = attempt;
    const refusal = await transact(async (unit) => {
      const blocked = await lockout.fail(unit, attempt);
      if (blocked) return blocked;
      unit.publish(loginFailed, {
        ...(user ? { subject: user.id, audience: user.id } : {}),
        origin,
        data: { reason: user ? "wrong password" : "unknown account" },
      });
      return new Problem("invalid_credentials");
    });
    throw refusal;
  };

  /** Undefined when the password was changed in the meantime; another log-in's rehash is no change. */
  const rehash = async (user: UserRow, password: string, outdated: string): Promise<UserRow | undefined> => {
    const rehashed = await deps.passwordStore.replaceHash(user.id, outdated, await passwords.hash(password));
    if (rehashed) return rehashed;
    const fresh = await store.findUserByEmail(user.email);
    return fresh?.passwordHash && (await passwords.verify(password, fresh.passwordHash)) ? fresh : undefined;
  };

  return async ({ email, password }, origin) => {
    const user = await store.findUserByEmail(email);
    const hash = user?.passwordHash ?? undefined;
    const attempt = await lockout.begin(email, user, origin);
    await lockout.assertOpen(attempt);
    if (hash !== undefined) deps.imported.met(hash);
    const matches = await passwords.verify(password, hash);
    if (!user || hash === undefined || !matches) return refuse(attempt);
    await lockout.succeed(attempt);
    const checked = passwords.isOutdated(hash) ? await rehash(user, password, hash) : user;
    return checked ?? refuse(attempt);
  };
}

/** The account, held until the unit of work ends. Throws `Problem` (`invalid_credentials`) when its password has been changed since it was checked. */
export type HoldChecked = (unit: Pick<Unit, "tx">, checked: UserRow) => Promise<UserRow>;

/** Closes the gap between check and log-in, in which a reset may end all sessions and one with the old password would open after it. */
export function createHoldChecked(store: Pick<PasswordStore, "holdPassword">): HoldChecked {
  return async (unit, { id, passwordHash }) => {
    const user = await store.holdPassword(id, passwordHash, unit.tx);
    if (!user) throw new Problem("invalid_credentials");
    return user;
  };
}
