import { z } from "@hono/zod-openapi";

const state = z
  .enum(["coming", "in_force", "older", "disabled"])
  .openapi({ description: "`coming`: shown to all copies, used soon; `older`: opens what has not been rewrapped yet" });

export const keyEncryptionKey = z
  .object({
    version: z.number().int(),
    state,
    rootKeyId: z.string().openapi({ description: "The root key that wraps it" }),
    createdAt: z.iso.datetime(),
    inForceFrom: z.iso.datetime(),
    disabledAt: z.iso.datetime().optional(),
    uses: z.number().int().openapi({ description: "Stored values that need it" }),
  })
  .openapi("KeyEncryptionKey");

export const keyList = z.object({ data: z.array(keyEncryptionKey) });

export const rotation = z
  .object({ key: keyEncryptionKey.omit({ uses: true }), taskId: z.string() })
  .openapi("KeyRotation", { description: "The task rewraps what is stored: follow GET /v1/tasks/{taskId}" });

export type KeyView = z.infer<typeof keyEncryptionKey>;
