import { z } from "@hono/zod-openapi";
import { approvalActions, requestStatuses } from "../../../../db/schema/secrets.ts";
import { storableText } from "../../../platform/text.ts";
import { whoseQuery } from "../schema.ts";

export const requestParams = z.object({ id: z.string().max(64).openapi({ example: "apr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }) });

const reason = storableText(500).refine((text) => text.isWellFormed() && text.trim() !== "", { error: "expected a reason" });
export const createApprovalRequest = z
  .strictObject({
    action: z
      .enum(approvalActions)
      .openapi({ description: "`read` is for a link too; `write` for whatever changes it but `destroy` and `unmark`" }),
    reason,
    windowSeconds: z
      .number()
      .int()
      .min(60)
      .max(86_400)
      .default(3_600)
      .openapi({ description: "So long it may be used, once, after it is approved" }),
  })
  .openapi("NewApprovalRequest");

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
export const requestsQuery = whoseQuery.extend({
  status: z.enum(requestStatuses).optional(),
  all: flag.default(false).openapi({ type: "string", description: "Of all owners, for administrators" }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});

export const approvalRequest = z
  .object({
    id: z.string(),
    secretId: z.string(),
    name: z.string(),
    teamId: z.string().optional(),
    action: z.enum(approvalActions),
    reason: z.string(),
    status: z.enum(requestStatuses),
    requestedBy: z.string(),
    decidedBy: z.string().optional(),
    decidedAt: z.iso.datetime().optional(),
    usedAt: z.iso.datetime().optional(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().openapi({ description: "To be decided by then; once approved, to be used by then" }),
  })
  .openapi("ApprovalRequest");
export const approvalAnswer = z.object({ request: approvalRequest });
export const approvalPage = z.object({ data: z.array(approvalRequest), nextCursor: z.string().nullable() }).openapi("ApprovalRequestPage");
