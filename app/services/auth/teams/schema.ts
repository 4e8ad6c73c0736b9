import { z } from "@hono/zod-openapi";
import { readableName } from "../../../platform/text.ts";
import { email } from "../schema.ts";

const teamId = z.string().max(64).openapi({ example: "team_0199f0a8c7d87d1b9c5f2f6d4b7a1e40" });
const userId = z.string().max(64).openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });
const invitationId = z.string().max(64).openapi({ example: "inv_0199f0a8c7d87d1b9c5f2f6d4b7a1e41" });
const name = readableName(100).openapi({ example: "Analytical engines" });
const role = z.enum(["owner", "admin", "member", "viewer"]);
const invitedRole = z.enum(["admin", "member", "viewer"]);

export const team = z
  .object({ id: teamId, name, role: role.openapi({ description: "Your own" }), createdAt: z.iso.datetime() })
  .openapi("Team");
export const teamAnswer = z.object({ team });
export const teamPage = z.object({ data: z.array(team), nextCursor: z.string().nullable() }).openapi("TeamPage");

export const member = z
  .object({ userId, email: z.string(), name: z.string().nullable(), role, createdAt: z.iso.datetime() })
  .openapi("TeamMember");
export const memberAnswer = z.object({ member });
export const memberPage = z.object({ data: z.array(member), nextCursor: z.string().nullable() }).openapi("TeamMemberPage");

export const invitation = z
  .object({ id: invitationId, email: z.string(), role: invitedRole, createdAt: z.iso.datetime(), expiresAt: z.iso.datetime() })
  .openapi("TeamInvitation");
export const invitationAnswer = z.object({ invitation });
export const invitationPage = z.object({ data: z.array(invitation), nextCursor: z.string().nullable() }).openapi("TeamInvitationPage");

export const teamRequest = z.strictObject({ name }).openapi("TeamRequest");
export const inviteRequest = z.strictObject({ email, role: invitedRole }).openapi("TeamInviteRequest");
export const memberRequest = z
  .strictObject({ role })
  .openapi("TeamMemberRequest", { description: "`owner` hands the team over: who owned it becomes an admin" });
export const acceptRequest = z.strictObject({ token: z.string().max(128) }).openapi("TeamAcceptRequest");

export const teamParams = z.object({ id: teamId });
export const memberParams = z.object({ id: teamId, userId });
export const invitationParams = z.object({ id: teamId, invitationId });
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});
