import { z } from "@hono/zod-openapi";
import { email, personName } from "../schema.ts";

const invitationId = z.string().max(64).openapi({ example: "inv_0199f0a8c7d87d1b9c5f2f6d4b7a1e41" });
const role = z.enum(["user", "admin"]);

const invitation = z
  .object({
    id: invitationId,
    email: z.string().openapi({ example: "ada@example.com" }),
    name: z.string().nullable(),
    role,
    invitedBy: z.string().openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
  })
  .openapi("Invitation");
export type InvitationView = z.infer<typeof invitation>;
export const invitationAnswer = z.object({ invitation });
export const invitationPage = z.object({ data: z.array(invitation), nextCursor: z.string().nullable() }).openapi("InvitationPage");

export const inviteRequest = z
  .strictObject({ email, role: role.default("user"), name: personName.optional() })
  .openapi("InviteRequest", { description: "`name` is how the mail greets, and the name of the account unless the sign-up says another" });
export const invitationParams = z.object({ id: invitationId });
export const invitationQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: invitationId.optional(),
});
