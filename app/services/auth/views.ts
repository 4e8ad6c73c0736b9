import type { z } from "zod";
import type { session as sessionSchema, user as userSchema } from "./schema.ts";
import type { SessionRow } from "./sessions/store.ts";
import type { UserRow } from "./store.ts";

export type UserView = z.infer<typeof userSchema>;
export type SessionView = z.infer<typeof sessionSchema>;

export function toUserView(row: Pick<UserRow, "id" | "email" | "emailVerifiedAt" | "name" | "role" | "createdAt">): UserView {
  return {
    id: row.id,
    email: row.email,
    emailVerified: row.emailVerifiedAt !== null,
    name: row.name,
    role: row.role,
    createdAt: row.createdAt.toISOString(),
  };
}

export function toSessionView(row: SessionRow): SessionView {
  return {
    id: row.id,
    userId: row.activeUserId,
    ip: row.ip,
    device: row.device,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
  };
}
