import { and, asc, eq, gt, lt, or, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { teamInvitations, teamMembers, teams, users } from "../../../../db/schema/auth.ts";

export type TeamRow = typeof teams.$inferSelect;
export type InvitationRow = typeof teamInvitations.$inferSelect;
export type TeamRole = typeof teamMembers.$inferSelect.role;
export type TeamStore = ReturnType<typeof createTeamStore>;

export interface MemberRow {
  readonly userId: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: TeamRole;
  readonly createdAt: Date;
}

export interface Page {
  readonly after?: string | undefined;
  readonly limit: number;
}

export function createTeamStore(db: Db) {
  const memberIs = (teamId: string, userId: string) => and(eq(teamMembers.teamId, teamId), eq(teamMembers.userId, userId));
  const memberColumns = {
    userId: teamMembers.userId,
    email: users.email,
    name: users.name,
    role: teamMembers.role,
    createdAt: teamMembers.createdAt,
  };

  return {
    insert: async (row: typeof teams.$inferInsert, on: Queryable): Promise<TeamRow> => {
      const [inserted] = await on.insert(teams).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    rename: async (id: string, name: string, on: Queryable): Promise<void> => {
      await on.update(teams).set({ name }).where(eq(teams.id, id));
    },

    /** Its members, invitations and keys go with it. */
    delete: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(teams).where(eq(teams.id, id));
    },

    /** The team with the user's role in it; undefined for who is not in it. */
    find: async (id: string, userId: string): Promise<(TeamRow & { readonly role: TeamRole }) | undefined> => {
      const [row] = await db
        .select({ team: teams, role: teamMembers.role })
        .from(teams)
        .innerJoin(teamMembers, memberIs(id, userId))
        .where(eq(teams.id, id));
      return row && { ...row.team, role: row.role };
    },

    /** The user's teams in the order they were founded; `only` narrows them to one. */
    list: async (
      userId: string,
      page: Page & { readonly only?: string | undefined },
    ): Promise<(TeamRow & { readonly role: TeamRole })[]> => {
      const rows = await db
        .select({ team: teams, role: teamMembers.role })
        .from(teamMembers)
        .innerJoin(teams, eq(teams.id, teamMembers.teamId))
        .where(
          and(
            eq(teamMembers.userId, userId),
            page.only ? eq(teams.id, page.only) : undefined,
            page.after ? gt(teams.id, page.after) : undefined,
          ),
        )
        .orderBy(asc(teams.id))
        .limit(page.limit);
      return rows.map(({ team, role }) => ({ ...team, role }));
    },

    /** Held until the transaction ends: all changes of a team's members and invitations come one after the other. */
    lock: async (id: string, on: Queryable): Promise<TeamRow | undefined> => {
      const [row] = await on.select().from(teams).where(eq(teams.id, id)).for("update");
      return row;
    },

    ownsAny: async (userId: string, on: Queryable): Promise<boolean> => {
      const rows = await on
        .select({ teamId: teamMembers.teamId })
        .from(teamMembers)
        .where(and(eq(teamMembers.userId, userId), eq(teamMembers.role, "owner")))
        .limit(1);
      return rows.length > 0;
    },

    idsOf: async (userId: string, on: Queryable): Promise<string[]> => {
      const rows = await on
        .select({ id: teamMembers.teamId })
        .from(teamMembers)
        .where(eq(teamMembers.userId, userId))
        .orderBy(asc(teamMembers.teamId));
      return rows.map(({ id }) => id);
    },

    /** Of those who are in the team the highest, the longest in it first; one whose account is disabled only when there is nobody else. */
    heirOf: async (teamId: string, on: Queryable): Promise<string | undefined> => {
      const rank = sql`array_position(array['owner', 'admin', 'member', 'viewer'], ${teamMembers.role})`;
      const [row] = await on
        .select({ userId: teamMembers.userId })
        .from(teamMembers)
        .innerJoin(users, eq(users.id, teamMembers.userId))
        .where(eq(teamMembers.teamId, teamId))
        .orderBy(sql`${users.disabledAt} is not null`, rank, asc(teamMembers.createdAt), asc(teamMembers.userId))
        .limit(1);
      return row?.userId;
    },

    roleOf: async (teamId: string, userId: string, on: Queryable = db): Promise<TeamRole | undefined> => {
      const [row] = await on.select({ role: teamMembers.role }).from(teamMembers).where(memberIs(teamId, userId));
      return row?.role;
    },

    /** The role stays what it is until the transaction ends. */
    lockRole: async (teamId: string, userId: string, on: Queryable): Promise<TeamRole | undefined> => {
      const [row] = await on.select({ role: teamMembers.role }).from(teamMembers).where(memberIs(teamId, userId)).for("share");
      return row?.role;
    },

    /** False for who is in it already. */
    addMember: async (row: typeof teamMembers.$inferInsert, on: Queryable): Promise<boolean> => {
      const rows = await on.insert(teamMembers).values(row).onConflictDoNothing().returning({ userId: teamMembers.userId });
      return rows.length > 0;
    },

    setRole: async (
      { teamId, userId }: { readonly teamId: string; readonly userId: string },
      role: TeamRole,
      on: Queryable,
    ): Promise<void> => {
      await on.update(teamMembers).set({ role }).where(memberIs(teamId, userId));
    },

    /** With the invitations that the member has sent. */
    removeMember: async (teamId: string, userId: string, on: Queryable): Promise<void> => {
      await on.delete(teamMembers).where(memberIs(teamId, userId));
      await on.delete(teamInvitations).where(and(eq(teamInvitations.teamId, teamId), eq(teamInvitations.invitedBy, userId)));
    },

    findMember: async (teamId: string, userId: string, on: Queryable = db): Promise<MemberRow | undefined> => {
      const [row] = await on
        .select(memberColumns)
        .from(teamMembers)
        .innerJoin(users, eq(users.id, teamMembers.userId))
        .where(memberIs(teamId, userId));
      return row;
    },

    members: (teamId: string, page: Page): Promise<MemberRow[]> =>
      db
        .select(memberColumns)
        .from(teamMembers)
        .innerJoin(users, eq(users.id, teamMembers.userId))
        .where(and(eq(teamMembers.teamId, teamId), page.after ? gt(teamMembers.userId, page.after) : undefined))
        .orderBy(asc(teamMembers.userId))
        .limit(page.limit),

    countInvitations: (teamId: string, on: Queryable = db): Promise<number> =>
      on.$count(teamInvitations, eq(teamInvitations.teamId, teamId)),

    /** In place of an earlier one to the same address. */
    replaceInvitation: async (row: typeof teamInvitations.$inferInsert, on: Queryable): Promise<InvitationRow> => {
      await on
        .delete(teamInvitations)
        .where(and(eq(teamInvitations.teamId, row.teamId), eq(sql`lower(${teamInvitations.email})`, row.email.toLowerCase())));
      const [inserted] = await on.insert(teamInvitations).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    invitations: (teamId: string, page: Page & { readonly at: Date }): Promise<InvitationRow[]> =>
      db
        .select()
        .from(teamInvitations)
        .where(
          and(
            eq(teamInvitations.teamId, teamId),
            gt(teamInvitations.expiresAt, page.at),
            page.after ? gt(teamInvitations.id, page.after) : undefined,
          ),
        )
        .orderBy(asc(teamInvitations.id))
        .limit(page.limit),

    /** Those to the user's address, and those that the user has sent. */
    invitationsAbout: (user: { readonly id: string; readonly email: string }): Promise<InvitationRow[]> =>
      db
        .select()
        .from(teamInvitations)
        .where(or(eq(teamInvitations.invitedBy, user.id), eq(sql`lower(${teamInvitations.email})`, user.email.toLowerCase())))
        .orderBy(asc(teamInvitations.id)),

    deleteInvitationsTo: async (email: string, on: Queryable): Promise<void> => {
      await on.delete(teamInvitations).where(eq(sql`lower(${teamInvitations.email})`, email.toLowerCase()));
    },

    findInvitation: async (teamId: string, id: string, on: Queryable): Promise<InvitationRow | undefined> => {
      const [row] = await on
        .select()
        .from(teamInvitations)
        .where(and(eq(teamInvitations.teamId, teamId), eq(teamInvitations.id, id)));
      return row;
    },

    deleteInvitation: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(teamInvitations).where(eq(teamInvitations.id, id));
    },

    /** Which team the token opens, if any; `takeInvitation` decides. */
    teamOfInvitation: async (tokenHash: string, on: Queryable): Promise<string | undefined> => {
      const [row] = await on.select({ id: teamInvitations.teamId }).from(teamInvitations).where(eq(teamInvitations.tokenHash, tokenHash));
      return row?.id;
    },

    /** One statement, so that a token works once. Undefined when it is unknown, used, past its time or meant for another address. */
    takeInvitation: async (
      token: { readonly hash: string; readonly email: string; readonly at: Date },
      on: Queryable,
    ): Promise<InvitationRow | undefined> => {
      const [row] = await on
        .delete(teamInvitations)
        .where(
          and(
            eq(teamInvitations.tokenHash, token.hash),
            eq(sql`lower(${teamInvitations.email})`, token.email.toLowerCase()),
            gt(teamInvitations.expiresAt, token.at),
          ),
        )
        .returning();
      return row;
    },

    /** Returns how many went. */
    deleteExpiredInvitations: async (before: Date): Promise<number> => {
      const rows = await db.delete(teamInvitations).where(lt(teamInvitations.expiresAt, before)).returning({ id: teamInvitations.id });
      return rows.length;
    },
  };
}
