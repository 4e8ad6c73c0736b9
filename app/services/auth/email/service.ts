import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Unit } from "../../../platform/outbox.ts";
import { loginFailed, userDisowned } from "../events.ts";
import type { LogIn, TransactLogIn } from "../log-in.ts";
import type { SignedIn } from "../schema.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { LeaveTeams } from "../teams/leave-all.ts";
import type { CloseAccount } from "../users/close.ts";
import { toUserView, type UserView } from "../views.ts";
import type { AnswerFirst } from "./answer-first.ts";
import type { TellOwner } from "./known-address.ts";
import type { MailedLinks } from "./links.ts";
import type { verifyMagicLinkRequest } from "./schema.ts";

export type EmailService = ReturnType<typeof createEmailService>;

export interface EmailServiceDeps {
  readonly users: Pick<AuthStore, "findUser">;
  readonly links: MailedLinks;
  readonly answerFirst: Pick<AnswerFirst, "begin">;
  readonly logIn: Pick<LogIn, "open">;
  readonly leaveTeams: LeaveTeams;
  readonly closeAccount: CloseAccount;
  readonly transact: TransactLogIn;
  readonly tellOwner: TellOwner;
  /** `off` sends no mail at sign-up; `required` lets nobody in before the address is verified. */
  readonly verification: "off" | "optional" | "required";
}

/** Proofs that a mailbox is the user's, and log-in by such a proof. */
export function createEmailService(deps: EmailServiceDeps) {
  const { users, links, answerFirst, logIn, transact, verification } = deps;

  return {
    /** Part of the sign-up's unit of work. */
    greet: async (unit: Unit, user: UserRow, origin: RequestOrigin): Promise<void> => {
      if (verification !== "off") await links.send(unit, user, { purpose: "verify_email", origin });
    },

    /** What came of a sign-up whose answer tells nothing: the link that confirms the new account, or that there is one already. */
    tellMailbox: (user: UserRow, { isNew, origin }: { readonly isNew: boolean; readonly origin: RequestOrigin }): void =>
      answerFirst.begin("mail what came of a sign-up", () =>
        isNew ? transact((unit) => links.send(unit, user, { purpose: "verify_email", origin })) : deps.tellOwner(user),
      ),

    /** Throws `Problem` (`email_not_verified`) where that is required, after sending another mail; for users who have shown their password. */
    assertVerified: async (user: UserRow, origin: RequestOrigin): Promise<void> => {
      if (verification !== "required" || user.emailVerifiedAt || user.disabledAt) return;
      await transact(async (unit) => {
        unit.publish(loginFailed, { subject: user.id, audience: user.id, origin, data: { reason: "address not verified" } });
        await links.send(unit, user, { purpose: "verify_email", origin });
      });
      throw new Problem("email_not_verified");
    },

    verify: async (token: string, origin: RequestOrigin): Promise<UserView> =>
      toUserView(await transact((unit) => links.redeem(unit, { purpose: "verify_email", token, origin }))),

    /**
     * For who got the mail of somebody else's sign-up: closes the account and has it erased. Throws `Problem`: what the link does, and `conflict` once the
     * address has been verified, or for an administrator, whom the operator has made.
     */
    disown: (token: string, origin: RequestOrigin): Promise<void> =>
      transact(async (unit) => {
        const { id, emailVerifiedAt, role } = await links.take(unit, { purpose: "verify_email", token, origin });
        if (emailVerifiedAt) throw new Problem("conflict", { detail: "The address was confirmed before: log in and close the account." });
        if (role === "admin") throw new Problem("conflict", { detail: "It is an administrator's account: tell the operator." });
        unit.publish(userDisowned, { subject: id, origin, data: {} });
        await deps.leaveTeams(unit, id, origin);
        await deps.closeAccount(unit, id, { origin });
      }),

    /** Does nothing for a verified address. Throws `Problem` (`rate_limited`) within a minute of the last mail. */
    resend: async (actor: Actor, origin: RequestOrigin): Promise<void> => {
      const user = await users.findUser(actor.userId);
      if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      if (user.emailVerifiedAt) return;
      const retryAfterSeconds = await transact((unit) => links.send(unit, user, { purpose: "verify_email", origin }));
      if (retryAfterSeconds > 0)
        throw new Problem("rate_limited", { detail: "The last mail was sent less than a minute ago.", retryAfterSeconds });
    },

    /** Tells nothing about the account, not by its time either, and creates none. */
    sendMagicLink: (email: string, origin: RequestOrigin): void =>
      answerFirst.begin("mail a log-in link", () => links.sendTo(email, { purpose: "magic_link", origin })),

    /** A refusal, such as for a missing second factor, leaves the link as it was: the unit of work rolls back. */
    useMagicLink: ({ token, totp }: z.infer<typeof verifyMagicLinkRequest>, origin: RequestOrigin, actor?: Actor): Promise<SignedIn> =>
      transact(async (unit) => {
        const user = await links.redeem(unit, { purpose: "magic_link", token, origin, actor });
        return logIn.open(unit, { user, method: "email", totp, origin });
      }),
  };
}
