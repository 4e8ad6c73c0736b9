import type { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Call, KeyAuthority } from "../api-keys/authority.ts";
import { sessionOf } from "../sessions/service.ts";
import type { AuthStore, UserRow } from "../store.ts";
import { teamCreated, teamDeleted, teamMemberChanged, teamMemberRemoved, teamOwnerChanged, teamRenamed } from "./events.ts";
import { assertOutranks, assertRuns, type Membership, type MemberTeam } from "./membership.ts";
import type { memberRequest, pageQuery, teamRequest } from "./schema.ts";
import type { MemberRow, TeamStore } from "./store.ts";
import { toMemberView, toPage, toTeamView } from "./views.ts";

export type TeamService = ReturnType<typeof createTeamService>;

export interface TeamDeps {
  readonly store: TeamStore;
  readonly users: Pick<AuthStore, "lockUser">;
  readonly membership: Membership;
  readonly keys: Pick<KeyAuthority, "endAll">;
  readonly transact: Transact;
  readonly now: Now;
}

type PageQuery = z.infer<typeof pageQuery>;

/** Teams and their members. Every change holds the team's row, so that a team has exactly one owner whatever comes at once. */
export function createTeamService({ store, users, membership, keys, transact, now }: TeamDeps) {
  const memberOf = async (unit: Unit, team: MemberTeam, userId: string): Promise<MemberRow> => {
    const row = await store.findMember(team.id, userId, unit.tx);
    if (!row) throw new Problem("not_found", { detail: `There is no member ${userId} in this team.` });
    return row;
  };

  /** Whoever owns a team does not close the account, so it is held until the end: before the team, in the order of whoever closes it. */
  const holdOwner = (unit: Unit, userId: string): Promise<UserRow | undefined> => users.lockUser(userId, unit.tx);

  const handOver = async (unit: Unit, team: MemberTeam, { member: to, heir, call }: HandOver) => {
    sessionOf(call.actor);
    const from = call.actor.userId;
    if (team.role !== "owner") throw new Problem("forbidden", { detail: "Only its owner hands a team over." });
    if (to.userId === from) return;
    assertMayOwn(heir);
    await store.setRole({ teamId: team.id, userId: from }, "admin", unit.tx);
    await store.setRole({ teamId: team.id, userId: to.userId }, "owner", unit.tx);
    unit.publish(teamOwnerChanged, { ...addressOf(team, to.userId, call), data: { from, to: to.userId } });
  };

  const changeRole = async (unit: Unit, team: MemberTeam, { member, role, call }: RoleChange) => {
    if (member.role === "owner")
      throw new Problem(team.role === "owner" ? "conflict" : "forbidden", {
        detail: "A team keeps its owner until the owner hands it over.",
      });
    assertOutranks(team, member.role);
    assertOutranks(team, role);
    await store.setRole({ teamId: team.id, userId: member.userId }, role, unit.tx);
    unit.publish(teamMemberChanged, { ...addressOf(team, member.userId, call), data: { userId: member.userId, role } });
  };

  return {
    create: (call: Call, { name }: z.infer<typeof teamRequest>) =>
      transact(async (unit) => {
        sessionOf(call.actor);
        const ownerId = call.actor.userId;
        assertMayOwn(await holdOwner(unit, ownerId));
        const row = await store.insert({ id: newId("team"), name, createdAt: now() }, unit.tx);
        await store.addMember({ teamId: row.id, userId: ownerId, role: "owner", createdAt: now() }, unit.tx);
        unit.publish(teamCreated, { ...addressOf(row, ownerId, call), data: { name } });
        return toTeamView({ ...row, role: "owner" });
      }),

    list: async ({ userId, via }: Actor, { limit, cursor }: PageQuery) => {
      const only = via.kind === "api_key" ? via.teamId : undefined;
      const rows = await store.list(userId, { after: cursor, limit: limit + 1, only });
      return toPage(rows, limit, { view: toTeamView, idOf: ({ id }) => id });
    },

    get: async (actor: Actor, id: string) => toTeamView(await membership.seen(actor, id)),

    rename: (call: Call, id: string, { name }: z.infer<typeof teamRequest>) =>
      transact(async (unit) => {
        const team = await membership.locked(unit, call.actor, id);
        assertRuns(team);
        await store.rename(id, name, unit.tx);
        unit.publish(teamRenamed, { ...addressOf(team, call.actor.userId, call), data: { name } });
        return toTeamView({ ...team, name });
      }),

    /** With its invitations and keys. */
    delete: (call: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        sessionOf(call.actor);
        const team = await membership.locked(unit, call.actor, id);
        if (team.role !== "owner") throw new Problem("forbidden", { detail: "Only its owner deletes a team." });
        await keys.endAll(unit, { teamId: id }, { reason: "team_deleted", ...call });
        await store.delete(id, unit.tx);
        unit.publish(teamDeleted, { ...addressOf(team, call.actor.userId, call), data: {} });
      }),

    members: async (actor: Actor, id: string, { limit, cursor }: PageQuery) => {
      await membership.seen(actor, id);
      const rows = await store.members(id, { after: cursor, limit: limit + 1 });
      return toPage(rows, limit, { view: toMemberView, idOf: ({ userId }) => userId });
    },

    member: async (actor: Actor, { id, userId }: MemberAddress) => {
      await membership.seen(actor, id);
      const row = await store.findMember(id, userId);
      if (!row) throw new Problem("not_found", { detail: `There is no member ${userId} in this team.` });
      return toMemberView(row);
    },

    /** `owner` hands the team over. */
    changeMember: (call: Call, { id, userId }: MemberAddress, { role }: z.infer<typeof memberRequest>) =>
      transact(async (unit) => {
        const heir = role === "owner" ? await holdOwner(unit, userId) : undefined;
        const team = await membership.locked(unit, call.actor, id);
        const member = await memberOf(unit, team, userId);
        if (role === "owner") await handOver(unit, team, { member, heir, call });
        else await changeRole(unit, team, { member, role, call });
        return toMemberView(await memberOf(unit, team, userId));
      }),

    /** Removes a member, or lets the caller leave. The keys that they made for the team end. */
    removeMember: (call: Call, { id, userId }: MemberAddress): Promise<void> =>
      transact(async (unit) => {
        const team = await membership.locked(unit, call.actor, id);
        const member = await memberOf(unit, team, userId);
        if (member.role === "owner" && team.role === "owner")
          throw new Problem("conflict", { detail: "The owner can't leave: hand the team over first, or delete it." });
        if (userId !== call.actor.userId) assertOutranks(team, member.role);
        await store.removeMember(id, userId, unit.tx);
        await keys.endAll(unit, { teamId: id, madeBy: userId }, { reason: "member_removed", ...call });
        unit.publish(teamMemberRemoved, { ...addressOf(team, userId, call), data: { userId } });
      }),
  };
}

interface MemberAddress {
  readonly id: string;
  readonly userId: string;
}

interface RoleChange {
  readonly member: MemberRow;
  readonly role: "admin" | "member" | "viewer";
  readonly call: Call;
}

interface HandOver {
  readonly member: MemberRow;
  readonly heir: UserRow | undefined;
  readonly call: Call;
}

function assertMayOwn(user: UserRow | undefined): void {
  if (!user || user.disabledAt) throw new Problem("conflict", { detail: "The account is closed or disabled: it can't own a team." });
}

/** The event is about the team, and for whom it concerns to see. */
export function addressOf(team: { readonly id: string }, audience: string, { actor, origin }: Call) {
  return { subject: team.id, audience, tenant: team.id, actorId: actor.userId, origin };
}
