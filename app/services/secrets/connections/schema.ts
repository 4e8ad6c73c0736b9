import { z } from "@hono/zod-openapi";
import { integrationName } from "../integrations/schema.ts";

export const integrationParam = z.object({ integration: integrationName });

/** Whatever the service adds; the library looks at what it knows. */
export const callbackQuery = z.object({ state: z.string().max(512) }).catchall(z.string().max(8_192));

export const connectionView = z
  .object({
    id: z.string(),
    integration: z.string(),
    status: z.enum(["active", "needs_reauthorization"]),
    scopes: z.array(z.string()),
    expiresAt: z.iso.datetime().optional().openapi({ description: "Of the access token, which is refreshed when it is used" }),
    teamId: z.string().optional(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi("Connection");
export type ConnectionView = z.infer<typeof connectionView>;

export const connectionAnswer = z.object({ connection: connectionView });
export const connectionList = z.object({
  data: z.array(connectionView),
  available: z
    .array(z.object({ name: z.string(), displayName: z.string(), scopes: z.array(z.string()) }))
    .openapi({ description: "What can be connected" }),
});
export const authorizeAnswer = z.object({ url: z.string().openapi({ description: "Where the browser that asked goes on" }) });
export const deletedAnswer = z.object({ revoked: z.boolean().openapi({ description: "Whether the service has revoked its tokens" }) });
