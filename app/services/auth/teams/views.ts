import type { z } from "zod";
import type { MemberTeam } from "./membership.ts";
import type { invitation, member, team } from "./schema.ts";
import type { InvitationRow, MemberRow } from "./store.ts";

export function toTeamView({ id, name, role, createdAt }: MemberTeam): z.infer<typeof team> {
  return { id, name, role, createdAt: createdAt.toISOString() };
}

export function toMemberView({ createdAt, ...row }: MemberRow): z.infer<typeof member> {
  return { ...row, createdAt: createdAt.toISOString() };
}

export function toInvitationView({ id, email, role, createdAt, expiresAt }: InvitationRow): z.infer<typeof invitation> {
  return { id, email, role, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() };
}

/** `rows` has one more than `limit` when there is a next page. */
export function toPage<Row, View>(
  rows: readonly Row[],
  limit: number,
  as: { readonly view: (row: Row) => View; readonly idOf: (row: Row) => string },
): { data: View[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { data: page.map(as.view), nextCursor: rows.length > limit && last !== undefined ? as.idOf(last) : null };
}
