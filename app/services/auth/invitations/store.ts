import { and, asc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { accountInvitations, oneTimeTokens, users } from "../../../../db/schema/auth.ts";

export type InvitationRow = typeof accountInvitations.$inferSelect;
export type InvitationStore = ReturnType<typeof createInvitationStore>;

export function createInvitationStore(db: Db) {
  const isFor = (email: string) => eq(sql`lower(${accountInvitations.email})`, email.toLowerCase());

  return {
    /** In place of an earlier one to the same address. */
    replace: async (row: typeof accountInvitations.$inferInsert, on: Queryable): Promise<InvitationRow> => {
      await on.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`invitation ${row.email.toLowerCase()}`}, 0))`);
      await on.delete(accountInvitations).where(isFor(row.email));
      const [inserted] = await on.insert(accountInvitations).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** In the order they were sent. */
    list: (page: { readonly at: Date; readonly after?: string | undefined; readonly limit: number }): Promise<InvitationRow[]> =>
      db
        .select()
        .from(accountInvitations)
        .where(and(gt(accountInvitations.expiresAt, page.at), page.after ? gt(accountInvitations.id, page.after) : undefined))
        .orderBy(asc(accountInvitations.id))
        .limit(page.limit),

    /** Undefined when there is none. */
    delete: async (id: string, on: Queryable): Promise<InvitationRow | undefined> => {
      const [row] = await on.delete(accountInvitations).where(eq(accountInvitations.id, id)).returning();
      return row;
    },

    /** Whether the token looks good for a sign-up with the address; `take` decides. */
    isOpen: async (token: { readonly hash: string; readonly email: string; readonly at: Date }): Promise<boolean> => {
      const rows = await db
        .select({ id: accountInvitations.id })
        .from(accountInvitations)
        .innerJoin(oneTimeTokens, sql`${oneTimeTokens.data} ->> 'invitationId' = ${accountInvitations.id}`)
        .where(
          and(
            eq(oneTimeTokens.hash, token.hash),
            eq(oneTimeTokens.purpose, "invitation"),
            isNull(oneTimeTokens.usedAt),
            gt(accountInvitations.expiresAt, token.at),
            isFor(token.email),
          ),
        );
      return rows.length > 0;
    },

    /** Undefined when it is withdrawn, for another address, or of somebody who is no administrator any more. */
    take: async (id: string, email: string, on: Queryable): Promise<InvitationRow | undefined> => {
      const admins = on
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.role, "admin"), isNull(users.disabledAt)));
      const [row] = await on
        .delete(accountInvitations)
        .where(and(eq(accountInvitations.id, id), isFor(email), sql`${accountInvitations.invitedBy} in ${admins}`))
        .returning();
      return row;
    },

    /** Those that the user has sent. */
    sentBy: (userId: string): Promise<InvitationRow[]> =>
      db.select().from(accountInvitations).where(eq(accountInvitations.invitedBy, userId)).orderBy(asc(accountInvitations.id)),

    deleteTo: async (email: string, on: Queryable): Promise<void> => {
      await on.delete(accountInvitations).where(isFor(email));
    },

    /** Returns how many went. */
    deleteExpired: async (before: Date): Promise<number> => {
      const rows = await db
        .delete(accountInvitations)
        .where(lt(accountInvitations.expiresAt, before))
        .returning({ id: accountInvitations.id });
      return rows.length;
    },
  };
}
