import type { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId, randomToken } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Call } from "../api-keys/authority.ts";
import { invitationMail, type SendMail } from "../mails.ts";
import { hashToken } from "../one-time-tokens.ts";
import { sessionOf } from "../sessions/service.ts";
import type { AuthStore } from "../store.ts";
import { teamInvitationSent, teamInvitationWithdrawn, teamMemberJoined } from "./events.ts";
import type { LimitInvitations } from "./invitation-limits.ts";
import { assertOutranks, assertRuns, type Membership, type MemberTeam } from "./membership.ts";
import type { inviteRequest, pageQuery } from "./schema.ts";
import { addressOf } from "./service.ts";
import type { TeamStore } from "./store.ts";
import { toInvitationView, toPage, toTeamView } from "./views.ts";

export type InvitationService = ReturnType<typeof createInvitationService>;

export interface InvitationDeps {
  readonly store: TeamStore;
  readonly users: Pick<AuthStore, "findUser" | "findUserByEmail">;
  readonly membership: Membership;
  readonly limit: LimitInvitations;
  readonly sendMail: SendMail;
  readonly transact: Transact;
  readonly now: Now;
}

const lifetimeMs = 7 * 86_400_000;
/** Open ones per team. */
const openMax = 100;

type Invite = z.infer<typeof inviteRequest>;

/** How people come into a team: by a token that was mailed to the address of their account. */
export function createInvitationService({ store, users, membership, limit, sendMail, transact, now }: InvitationDeps) {
  const assertMayInvite = async (team: MemberTeam, { email, role }: Invite, on?: Unit["tx"]): Promise<void> => {
    assertRuns(team);
    assertOutranks(team, role);
    const invited = await users.findUserByEmail(email, on);
    if (invited && (await store.roleOf(team.id, invited.id, on)))
      throw new Problem("conflict", { detail: `${email} is in the team already.` });
    if ((await store.countInvitations(team.id, on)) >= openMax)
      throw new Problem("conflict", { detail: `The team has ${openMax} open invitations already: withdraw one first.` });
  };

  return {
    /** The same for an address with an account and one without. A second one to an address replaces the first. */
    invite: async (call: Call, id: string, invitation: Invite) => {
      const { email, role } = invitation;
      // Asked twice: only what would be sent counts, and only under the lock do the answers hold.
      await assertMayInvite(await membership.seen(call.actor, id), invitation);
      await limit({ by: call.actor.userId, teamId: id, email });
      return transact(async (unit) => {
        const team = await membership.locked(unit, call.actor, id);
        await assertMayInvite(team, invitation, unit.tx);
        const token = randomToken(32);
        const createdAt = now();
        const row = await store.replaceInvitation(
          {
            id: newId("invitation"),
            teamId: id,
            email,
            role,
            invitedBy: call.actor.userId,
            tokenHash: hashToken(token),
            createdAt,
            expiresAt: new Date(createdAt.getTime() + lifetimeMs),
          },
          unit.tx,
        );
        const inviter = await users.findUser(call.actor.userId, unit.tx);
        await sendMail(unit, invitationMail({ to: email, team: team.name, role, token, inviter }));
        unit.publish(teamInvitationSent, { ...addressOf(team, call.actor.userId, call), data: { invitationId: row.id, role } });
        return toInvitationView(row);
      });
    },

    list: async (actor: Actor, id: string, { limit, cursor }: z.infer<typeof pageQuery>) => {
      assertRuns(await membership.seen(actor, id));
      const rows = await store.invitations(id, { after: cursor, limit: limit + 1, at: now() });
      return toPage(rows, limit, { view: toInvitationView, idOf: (row) => row.id });
    },

    withdraw: (call: Call, { id, invitationId }: { readonly id: string; readonly invitationId: string }): Promise<void> =>
      transact(async (unit) => {
        const team = await membership.locked(unit, call.actor, id);
        assertRuns(team);
        const row = await store.findInvitation(id, invitationId, unit.tx);
        if (!row) throw new Problem("not_found", { detail: `There is no invitation ${invitationId}.` });
        assertOutranks(team, row.role);
        await store.deleteInvitation(invitationId, unit.tx);
        unit.publish(teamInvitationWithdrawn, { ...addressOf(team, call.actor.userId, call), data: { invitationId } });
      }),

    /** For the account with the address that the token was mailed to; to all others there is no such invitation. */
    accept: (call: Call, token: string) =>
      transact(async (unit) => {
        sessionOf(call.actor);
        const { userId } = call.actor;
        const hash = hashToken(token);
        const id = await store.teamOfInvitation(hash, unit.tx);
        const team = id === undefined ? undefined : await store.lock(id, unit.tx);
        const user = await users.findUser(userId, unit.tx);
        const row = team && user && (await store.takeInvitation({ hash, email: user.email, at: now() }, unit.tx));
        if (!team || !row)
          throw new Problem("not_found", { detail: "There is no such invitation for this account. It may have been used or be too old." });
        const joined = await store.addMember({ teamId: team.id, userId, role: row.role, createdAt: now() }, unit.tx);
        if (joined) unit.publish(teamMemberJoined, { ...addressOf(team, userId, call), data: { userId, role: row.role } });
        const role = (await store.roleOf(team.id, userId, unit.tx)) ?? row.role;
        return toTeamView({ ...team, role });
      }),
  };
}
