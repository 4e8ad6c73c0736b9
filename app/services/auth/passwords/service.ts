import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { AnswerFirst } from "../email/answer-first.ts";
import type { MailedLinks } from "../email/links.ts";
import { passwordChanged } from "../events.ts";
import { letter, type SendMail } from "../mails.ts";
import type { Tries } from "../mfa/tries.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import { type SessionService, sessionOf } from "../sessions/service.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { CheckPassword } from "./check.ts";
import type { Passwords } from "./hashing.ts";
import type { Lockout } from "./lockout.ts";
import type { PasswordPolicy } from "./policy.ts";
import type { changePasswordRequest, resetPasswordRequest } from "./schema.ts";
import type { PasswordStore } from "./store.ts";

export type PasswordService = ReturnType<typeof createPasswordService>;

export interface PasswordServiceDeps {
  readonly users: Pick<AuthStore, "findUser" | "deleteOneTimeTokens">;
  readonly store: Pick<PasswordStore, "changePassword" | "addPastHash">;
  readonly transact: Transact;
  readonly passwords: Pick<Passwords, "hash">;
  readonly policy: PasswordPolicy;
  readonly checkPassword: CheckPassword;
  readonly lockout: Pick<Lockout, "clear">;
  readonly secondFactorTries: Pick<Tries, "endWaits">;
  readonly sessions: Pick<SessionService, "leaveAll">;
  readonly links: Pick<MailedLinks, "sendTo" | "peek" | "redeem">;
  readonly answerFirst: Pick<AnswerFirst, "begin">;
  /** Asked before an account gets its first password. */
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly sendMail: SendMail;
  readonly historyMax: number;
  readonly now: Now;
}

/** How a new password comes about. */
interface Replacement {
  readonly hash: string;
  readonly how: "change" | "set" | "reset";
  readonly origin: RequestOrigin;
  /** Who did it, signed in: this session goes on. */
  readonly actor?: Actor;
}

export function createPasswordService(deps: PasswordServiceDeps) {
  const { users, store, transact, passwords, policy, sessions, links, now } = deps;

  const replace = async (unit: Unit, user: UserRow, { hash, how, origin, actor }: Replacement): Promise<void> => {
    const at = now();
    const { passwordHash: was } = user;
    if (!(await store.changePassword(user.id, { was, hash, at }, unit.tx)))
      throw new Problem("conflict", { detail: "The password was changed at the same time." });
    if (was !== null && deps.historyMax > 1)
      await store.addPastHash({ userId: user.id, hash: was, at, keep: deps.historyMax - 1 }, unit.tx);
    // Links that are under way were asked for by whoever held the account before.
    for (const purpose of ["reset_password", "magic_link"]) await users.deleteOneTimeTokens(user.id, purpose, unit.tx);
    await sessions.leaveAll(unit, {
      userId: user.id,
      reason: "password_changed",
      origin,
      ...(actor ? { actor, exceptId: sessionOf(actor) } : {}),
    });
    unit.publish(passwordChanged, { subject: user.id, audience: user.id, actorId: user.id, origin, data: { how } });
    await deps.sendMail(unit, changeNotice(user, at));
  };

  /** Throws unless the user has shown, now or recently, who they are. */
  const prove = async (user: UserRow, { actor, currentPassword, origin }: ChangeCall): Promise<UserRow> => {
    if (user.passwordHash !== null) {
      if (currentPassword === undefined) throw missingCurrentPassword();
      return deps.checkPassword({ email: user.email, password: currentPassword }, origin);
    }
    await deps.assertRecentLogIn(actor);
    return user;
  };

  return {
    /** All other sessions of the user end. */
    change: async (actor: Actor, input: z.infer<typeof changePasswordRequest>, origin: RequestOrigin): Promise<void> => {
      sessionOf(actor);
      const known = await users.findUser(actor.userId);
      if (!known) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      const user = await prove(known, { actor, origin, currentPassword: input.currentPassword });
      await policy.assertAcceptable({
        password: input.newPassword,
        email: user.email,
        name: user.name,
        pointer: "/newPassword",
        account: user,
      });
      const hash = await passwords.hash(input.newPassword);
      await transact((unit) => replace(unit, user, { hash, how: user.passwordHash === null ? "set" : "change", origin, actor }));
    },

    /** Tells nothing about the account, not by its time either. */
    forgot: (email: string, origin: RequestOrigin): void =>
      deps.answerFirst.begin("mail a password link", () => links.sendTo(email, { purpose: "reset_password", origin })),

    /** Ends all sessions and opens none, so that a second factor is never passed by. */
    reset: async ({ token, newPassword }: z.infer<typeof resetPasswordRequest>, origin: RequestOrigin, actor?: Actor): Promise<void> => {
      const owner = await links.peek({ purpose: "reset_password", token });
      await policy.assertAcceptable({
        password: newPassword,
        email: owner.email,
        name: owner.name,
        pointer: "/newPassword",
        account: owner,
      });
      const hash = await passwords.hash(newPassword);
      await transact(async (unit) => {
        const user = await links.redeem(unit, { purpose: "reset_password", token, origin, actor });
        await replace(unit, user, { hash, how: "reset", origin });
        await deps.lockout.clear(unit, user.email);
        await deps.secondFactorTries.endWaits(unit, user.id);
      });
    },
  };
}

interface ChangeCall {
  readonly actor: Actor;
  readonly currentPassword: string | undefined;
  readonly origin: RequestOrigin;
}

function missingCurrentPassword(): Problem {
  const errors = [{ pointer: "/currentPassword", detail: "is required: the account has a password" }];
  return new Problem("validation_failed", { detail: "One or more fields are not as expected.", errors });
}

function changeNotice(user: UserRow, at: Date) {
  return {
    to: user.email,
    subject: "Your password was changed",
    text: letter(user, [
      `The password of your account was changed at ${at.toISOString()}, and all other sessions have ended.`,
      'If it was not you, choose a new one right away: ask for a link with "forgot password".',
    ]),
  };
}
