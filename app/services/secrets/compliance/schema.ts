import { z } from "@hono/zod-openapi";
import { checkpoint } from "../audit/checkpoint.ts";
import { whoseQuery } from "../schema.ts";

const count = z.number().int();
const named = z.object({ id: z.string(), name: z.string(), tenant: z.string(), at: z.iso.datetime() });

export const reportQuery = whoseQuery.extend({
  from: z.iso.datetime({ offset: true }).optional().openapi({ description: "30 days before `to`, unless it is given" }),
  to: z.iso.datetime({ offset: true }).optional().openapi({ description: "Now, unless it is given" }),
  format: z.enum(["json", "html"]).default("json"),
});

export const complianceReport = z
  .object({
    of: z.string().openapi({ description: "Whose secrets it is about; `everybody` for an administrator who names nobody" }),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    madeAt: z.iso.datetime(),
    inventory: z.object({
      secrets: z.object({ total: count, versions: count, expired: count, withoutPolicy: count, withoutExpiry: count, takeTwo: count }),
      externalKeys: z.array(z.object({ service: z.string(), status: z.string(), count })),
      keyEncryptionKeys: z.object({ usable: count, inForceDays: count }).optional(),
    }),
    access: z.object({
      total: count,
      refused: count,
      failed: count,
      actors: count,
      secrets: count,
      mostActive: z.array(z.object({ actor: z.string().nullable(), count })),
    }),
    rotation: z.object({
      policies: count,
      onTime: count,
      resting: count,
      compliance: z.number().nullable().openapi({ description: "The share of policies that are on time; null without any" }),
      completed: count,
      failed: count,
      rolledBack: count,
    }),
    overdue: z.array(named),
    expiringIn30Days: z.array(named),
    unusual: z.array(
      z.object({
        at: z.iso.datetime(),
        action: z.string(),
        actor: z.string().nullable(),
        subject: z.string().nullable(),
        data: z.unknown(),
      }),
    ),
    recommendations: z.array(z.object({ code: z.string(), text: z.string() })),
    checkpoint: checkpoint.nullable().openapi({ description: "Of the audit trail that the report rests on" }),
  })
  .openapi("ComplianceReport");
export type ComplianceReport = z.infer<typeof complianceReport>;
