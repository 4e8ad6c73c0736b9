import { z } from "@hono/zod-openapi";
import { readableName } from "../../../platform/text.ts";
import { longRunningFields } from "../long-running/schema.ts";
import { exportedSchedule } from "../schedules/schema.ts";

const schedulesMax = 10_000;

export const importId = z.string().max(64).openapi({ example: "imp_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

/** The document of an export. Of what it has of each service only this is looked at. */
export const importRequest = z
  .strictObject({
    format: z.literal("keelson.account-data"),
    version: z.literal(1),
    userId: z.string().max(64).optional(),
    exportedAt: z.iso.datetime().optional(),
    data: z.object({
      auth: z.object({ user: z.object({ name: readableName(200).nullable() }).optional() }).optional(),
      schedules: z.array(exportedSchedule).max(schedulesMax).optional(),
    }),
  })
  .openapi("ImportRequest");
export type ImportedDocument = z.infer<typeof importRequest>;

export const importResult = z.object({
  imported: z.object({ name: z.boolean(), schedules: z.number().int() }),
  skipped: z.array(z.object({ pointer: z.string().openapi({ example: "/data/schedules/0" }), reason: z.string() })),
});
export type ImportResult = z.infer<typeof importResult>;

const dataImport = z.object({ id: importId, ...longRunningFields, result: importResult.optional() }).openapi("DataImport");
export const importAnswer = z.object({ import: dataImport });
export type ImportView = z.infer<typeof dataImport>;
