import { z } from "@hono/zod-openapi";
import { taskStatuses } from "../../../../db/schema/tasks.ts";

export const exportId = z.string().max(64).openapi({ example: "exp_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

const dataExport = z
  .object({
    id: exportId,
    taskId: z.string().openapi({ description: "Its task, whose stream tells when it is ready" }),
    status: z.enum(taskStatuses).openapi({ description: "Of its task; `completed` when it can be downloaded" }),
    bytes: z.number().int().optional(),
    error: z.object({ name: z.string(), message: z.string() }).optional(),
    createdAt: z.iso.datetime(),
    finishedAt: z.iso.datetime().optional(),
    expiresAt: z.iso.datetime(),
  })
  .openapi("DataExport");
export const exportAnswer = z.object({ export: dataExport });
export type ExportView = z.infer<typeof dataExport>;
