import type { RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { loginFailed } from "../events.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { Passwords } from "./hashing.ts";

/** The account that the password opens. Throws `Problem` (`invalid_credentials`), the same and after the same time for a wrong password and an unknown account. */
export type CheckPassword = (credentials: { readonly email: string; readonly password: string }, origin: RequestOrigin) => Promise<UserRow>;

export interface CheckPasswordDeps {
  readonly store: Pick<AuthStore, "findUserByEmail" | "updateUser">;
  readonly passwords: Passwords;
  readonly transact: Transact;
}

export function createCheckPassword({ store, passwords, transact }: CheckPasswordDeps): CheckPassword {
  return async ({ email, password }, origin) => {
    const user = await store.findUserByEmail(email);
    const matches = await passwords.verify(password, user?.passwordHash ?? undefined);
    if (user && matches) return user;
    await transact(async (unit) =>
      unit.publish(loginFailed, {
        ...(user ? { subject: user.id, audience: user.id } : {}),
        origin,
        data: { reason: user ? "wrong password" : "unknown account" },
      }),
    );
    throw new Problem("invalid_credentials");
  };
}
