import { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { invitationAccepted, invitationSent, invitationWithdrawn } from "../events.ts";
import { accountInvitationMail, type SendMail } from "../mails.ts";
import { hashToken, type OneTimeTokens } from "../one-time-tokens.ts";
import { sessionOf } from "../sessions/service.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { InvitationView, invitationQuery, inviteRequest } from "./schema.ts";
import type { InvitationRow, InvitationStore } from "./store.ts";
import { toInvitationView } from "./view.ts";

export type AccountInvitations = ReturnType<typeof createAccountInvitations>;

export interface AccountInvitationDeps {
  readonly store: InvitationStore;
  readonly users: Pick<AuthStore, "findUser" | "findUserByEmail">;
  readonly oneTimeTokens: OneTimeTokens;
  readonly transact: Transact;
  readonly sendMail: SendMail;
  /** How clients reach us. */
  readonly publicUrl: string;
  readonly now: Now;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

interface Shown {
  readonly token: string;
  readonly email: string;
}

const lifetimeSeconds = 7 * 86_400;
const purpose = "invitation";
const tokenData = z.object({ invitationId: z.string() });

/** How people sign up who were asked to: by a token that an administrator has mailed to their address. */
export function createAccountInvitations({ store, users, oneTimeTokens, transact, sendMail, publicUrl, now }: AccountInvitationDeps) {
  return {
    /** A second one to an address replaces the first. Throws `Problem` (`email_taken`) for an address with an account. */
    invite: ({ actor, origin }: Call, { email, role, name }: z.infer<typeof inviteRequest>): Promise<InvitationView> =>
      transact(async (unit) => {
        sessionOf(actor);
        if (await users.findUserByEmail(email, unit.tx)) throw new Problem("email_taken");
        const createdAt = now();
        const expiresAt = new Date(createdAt.getTime() + lifetimeSeconds * 1_000);
        const row = await store.replace(
          { id: newId("invitation"), email, name, role, invitedBy: actor.userId, createdAt, expiresAt },
          unit.tx,
        );
        const token = await oneTimeTokens.issue(unit, { purpose, data: { invitationId: row.id }, lifetimeSeconds });
        const inviter = (await users.findUser(actor.userId, unit.tx))?.email ?? "An administrator";
        const link = `${publicUrl}/v1/auth/signup?token=${token}`;
        await sendMail(unit, accountInvitationMail({ email, name: row.name }, { inviter, link }));
        unit.publish(invitationSent, { subject: row.id, audience: actor.userId, actorId: actor.userId, origin, data: { role } });
        return toInvitationView(row);
      }),

    list: async ({ limit, cursor }: z.infer<typeof invitationQuery>) => {
      const rows = await store.list({ at: now(), after: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return { data: page.map(toInvitationView), nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    },

    withdraw: ({ actor, origin }: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        sessionOf(actor);
        const row = await store.delete(id, unit.tx);
        if (!row) throw new Problem("not_found", { detail: `There is no invitation ${id}.` });
        unit.publish(invitationWithdrawn, { subject: id, audience: row.invitedBy, actorId: actor.userId, origin, data: {} });
      }),

    /** Asked before anything costly is done for a sign-up; `take` decides. */
    isOpen: ({ token, email }: Shown): Promise<boolean> => store.isOpen({ hash: hashToken(token), email, at: now() }),

    /** Part of the sign-up's unit of work, which uses it up. Undefined when it is unknown, used, too old, withdrawn, or was mailed to another address. */
    take: async (unit: Unit, { token, email }: Shown): Promise<InvitationRow | undefined> => {
      const taken = await oneTimeTokens.take(unit, purpose, token);
      return taken && store.take(tokenData.parse(taken.data).invitationId, email, unit.tx);
    },

    announceAccepted: (
      unit: Unit,
      { id, role, invitedBy }: InvitationRow,
      by: { readonly user: UserRow; readonly origin: RequestOrigin },
    ) => {
      const { user, origin } = by;
      unit.publish(invitationAccepted, { subject: id, audience: invitedBy, actorId: user.id, origin, data: { userId: user.id, role } });
    },
  };
}
