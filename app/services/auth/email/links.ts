import { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { ProveAddress } from "../address-proof/service.ts";
import { emailVerified, linkMailed } from "../events.ts";
import { letter, type SendMail } from "../mails.ts";
import { hashToken, type OneTimeTokens } from "../one-time-tokens.ts";
import type { PasswordStore } from "../passwords/store.ts";
import type { AuthStore, UserRow } from "../store.ts";

interface Kind {
  readonly path: string;
  readonly lifetimeSeconds: number;
  readonly subject: string;
  readonly says: readonly [before: string, after: string];
}

/** The mails with a link that works once. */
const kinds = {
  verify_email: {
    path: "/v1/auth/email/verify",
    lifetimeSeconds: 86_400,
    subject: "Confirm your e-mail address",
    says: [
      "Confirm that this address is yours with this link, within a day:",
      'You get this because somebody asked for an account with your address. If it was not you, do not confirm it: open the link and choose "This was not me", which closes that account, or do nothing.',
    ],
  },
  reset_password: {
    path: "/v1/auth/password/reset",
    lifetimeSeconds: 3_600,
    subject: "Choose a new password",
    says: [
      "Somebody asked for a new password for your account. Choose it with this link, within an hour:",
      "If it was not you, do nothing: the password stays as it is.",
    ],
  },
  magic_link: {
    path: "/v1/auth/magic-link/verify",
    lifetimeSeconds: 900,
    subject: "Your log-in link",
    says: [
      "Log in with this link, within 15 minutes:",
      "If you did not ask for it, do nothing, and show it to nobody: whoever has it can log in.",
    ],
  },
} as const satisfies Record<string, Kind>;

export type LinkPurpose = keyof typeof kinds;

/** One mail of a kind per account in this time, so that nobody can fill a stranger's mailbox. */
const everySeconds = 60;

export type MailedLinks = ReturnType<typeof createMailedLinks>;

export interface MailedLinksDeps {
  readonly oneTimeTokens: Pick<OneTimeTokens, "issue" | "take">;
  readonly users: Pick<AuthStore, "findUser" | "findUserByEmail">;
  readonly store: Pick<PasswordStore, "lockUser" | "lastIssuedAt" | "ownerOfToken" | "setEmailVerified">;
  readonly proveAddress: ProveAddress;
  readonly transact: Transact;
  readonly sendMail: SendMail;
  /** How clients reach us. Never taken from a request: then its sender would choose where the token goes. */
  readonly publicUrl: string;
  readonly now: Now;
}

/** What the request for a link is about. */
interface Asked {
  readonly purpose: LinkPurpose;
  readonly origin: RequestOrigin;
}

interface Shown {
  readonly purpose: LinkPurpose;
  readonly token: string;
  readonly origin: RequestOrigin;
  /** Who shows it, if they are logged in. */
  readonly actor?: Actor | undefined;
}

const tokenData = z.object({ email: z.string() });

/** Sends a user a link that does one thing, once, and proves that the mailbox is theirs. */
export function createMailedLinks({ oneTimeTokens, users, store, proveAddress, transact, sendMail, publicUrl, now }: MailedLinksDeps) {
  /** Part of the caller's unit of work. For how many seconds it is too early for the next one: 0 when the mail is on its way. */
  const send = async (
    unit: Unit,
    user: Pick<UserRow, "id" | "email" | "name" | "emailVerifiedAt">,
    { purpose, origin }: Asked,
  ): Promise<number> => {
    await store.lockUser(user.id, unit.tx);
    const last = await store.lastIssuedAt(user.id, purpose, unit.tx);
    const waitSeconds = last ? everySeconds - (now().getTime() - last.getTime()) / 1_000 : 0;
    if (waitSeconds > 0) return Math.ceil(waitSeconds);
    const { path, lifetimeSeconds, subject, says } = kinds[purpose];
    const token = await oneTimeTokens.issue(unit, { purpose, userId: user.id, data: { email: user.email }, lifetimeSeconds });
    const link = `${publicUrl}${path}?token=${token}`;
    await sendMail(unit, { to: user.email, subject, text: letter(user, [says[0], link, says[1]]) });
    unit.publish(linkMailed, { subject: user.id, audience: user.id, origin, data: { purpose } });
    return 0;
  };

  /**
   * Uses the link up if the unit of work succeeds, and holds the account until its end. Throws `Problem`: `invalid_link` also when the address of
   * the account has changed since, `account_disabled`.
   */
  const take = async (unit: Unit, { purpose, token }: Shown): Promise<UserRow> => {
    // The user first and then the token, in the order in which `send` takes them.
    const userId = await store.ownerOfToken({ hash: hashToken(token), purpose, at: now() }, unit.tx);
    const user = userId === undefined ? undefined : await store.lockUser(userId, unit.tx);
    const taken = user && (await oneTimeTokens.take(unit, purpose, token));
    if (!user || !taken || tokenData.parse(taken.data).email !== user.email) throw new Problem("invalid_link");
    if (user.disabledAt) throw new Problem("account_disabled");
    return user;
  };

  return {
    send,

    /** To the account with this address. Does nothing without one, and tells nobody. */
    sendTo: async (email: string, asked: Asked): Promise<void> => {
      const user = await users.findUserByEmail(email);
      if (user && !user.disabledAt) await transact((unit) => send(unit, user, asked));
    },

    /** Whose link it is, without using it up. Throws `Problem` (`invalid_link`). */
    peek: async ({ purpose, token }: Pick<Shown, "purpose" | "token">): Promise<UserRow> => {
      const userId = await store.ownerOfToken({ hash: hashToken(token), purpose, at: now() });
      const user = userId === undefined ? undefined : await users.findUser(userId);
      if (!user) throw new Problem("invalid_link");
      return user;
    },

    take,

    /** Uses the link up if the unit of work succeeds, and takes the address as verified. Throws what `take` does. */
    redeem: async (unit: Unit, shown: Shown): Promise<UserRow> => {
      const { purpose: by, origin, actor } = shown;
      const user = await take(unit, shown);
      if (by !== "verify_email") return proveAddress(unit, user, { by, origin, actor });
      if (user.emailVerifiedAt) return user;
      unit.publish(emailVerified, { subject: user.id, audience: user.id, actorId: user.id, origin, data: { by } });
      return (await store.setEmailVerified(user.id, now(), unit.tx)) ?? user;
    },
  };
}
