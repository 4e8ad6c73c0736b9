import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("auth");

const teamRole = z.enum(["owner", "admin", "member", "viewer"]);
export const teamCreated = event({
  type: "team.created",
  description: "A team was made. The subject is the team.",
  audited: true,
  data: z.object({ name: z.string() }),
});
export const teamRenamed = event({
  type: "team.renamed",
  description: "A team is called something else now. The subject is the team.",
  audited: true,
  data: z.object({ name: z.string() }),
});
export const teamDeleted = event({
  type: "team.deleted",
  description: "A team is no more. The subject is the team.",
  audited: true,
  data: z.object({}),
});
export const teamMemberJoined = event({
  type: "team.member_joined",
  description: "Somebody is a member of a team now. The subject is the team.",
  audited: true,
  data: z.object({ userId: z.string(), role: teamRole }),
});
export const teamMemberChanged = event({
  type: "team.member_changed",
  description: "A member of a team has another role. The subject is the team.",
  audited: true,
  data: z.object({ userId: z.string(), role: teamRole }),
});
export const teamMemberRemoved = event({
  type: "team.member_removed",
  description: "Somebody is no longer a member of a team. The subject is the team.",
  audited: true,
  data: z.object({ userId: z.string() }),
});
export const teamOwnerChanged = event({
  type: "team.owner_changed",
  description: "A team has another owner. The subject is the team.",
  audited: true,
  data: z.object({ from: z.string(), to: z.string() }),
});
export const teamInvitationSent = event({
  type: "team.invitation_sent",
  description: "Somebody was invited to a team. The subject is the team.",
  audited: true,
  data: z.object({ invitationId: z.string(), role: teamRole }),
});
export const teamInvitationWithdrawn = event({
  type: "team.invitation_withdrawn",
  description: "An invitation to a team was taken back. The subject is the team.",
  audited: true,
  data: z.object({ invitationId: z.string() }),
});
