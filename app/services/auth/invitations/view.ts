import type { InvitationView } from "./schema.ts";
import type { InvitationRow } from "./store.ts";

export function toInvitationView({ createdAt, expiresAt, ...row }: InvitationRow): InvitationView {
  return { ...row, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() };
}
