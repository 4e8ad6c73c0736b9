import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { EmailService } from "../email/service.ts";
import { signupRepeated, userSignedUp } from "../events.ts";
import type { AuthStore } from "../store.ts";
import { toUserView, type UserView } from "../views.ts";

export interface UndisclosedSignupDeps {
  readonly store: Pick<AuthStore, "insertUser" | "findUserByEmail">;
  readonly transact: Transact;
  readonly email: Pick<EmailService, "tellMailbox">;
  readonly now: Now;
}

interface NewAccount {
  readonly email: string;
  readonly name: string | undefined;
  readonly passwordHash: string;
}

/**
 * A sign-up that does not tell whether the address has an account: the same answer after the same work, and whether an account was made is
 * in the mail alone. For where no session is opened before the address is verified.
 */
export function createUndisclosedSignup({ store, transact, email, now }: UndisclosedSignupDeps) {
  return async (account: NewAccount, origin: RequestOrigin): Promise<{ readonly user: UserView }> => {
    const row = { ...account, id: newId("user"), role: "user", createdAt: now() } as const;
    const { owner, isNew } = await transact(async (unit) => {
      const created = await store.insertUser(row, unit.tx);
      const found = await store.findUserByEmail(account.email, unit.tx);
      if (!found) throw new Problem("conflict", { detail: "The address became free just now: try again." });
      const about = { subject: found.id, audience: found.id, origin };
      if (created) unit.publish(userSignedUp, { ...about, actorId: found.id, data: { role: row.role } });
      else unit.publish(signupRepeated, { ...about, data: {} });
      return { owner: found, isNew: created !== undefined };
    });
    email.tellMailbox(owner, { isNew, origin });
    return { user: toUserView({ ...row, name: account.name ?? null, emailVerifiedAt: null }) };
  };
}
