import { z } from "zod";
import { eventsOf } from "../../platform/events.ts";

/** What only other systems know and administrators publish over HTTP, so that everybody means the same by the same type. */
const outside = { published: "outside" } as const;
const system = eventsOf("system");
const user = eventsOf("user");
const billing = eventsOf("billing");

const text = z.string().max(500);
const amount = z.object({ value: z.number(), currency: z.string().regex(/^[A-Z]{3}$/) });

export const deploymentFinished = system({
  ...outside,
  type: "system.deployment_finished",
  description: "A version was rolled out, or was not. The subject is what was deployed.",
  audience: "admins",
  data: z.object({ version: text, environment: text, outcome: z.enum(["succeeded", "failed", "rolled_back"]) }),
});

export const configChanged = system({
  ...outside,
  type: "system.config_changed",
  description: "Settings were changed; their names, never what is in them. The subject is what they belong to.",
  audience: "admins",
  data: z.object({ changed: z.array(text).max(200) }),
});

export const userActive = user({
  ...outside,
  type: "user.activity",
  description: "A user has done something in the product. The subject is the user.",
  data: z.object({ action: text, details: z.record(z.string(), z.unknown()).optional() }),
});

export const creditsUsed = billing({
  ...outside,
  type: "billing.credits_used",
  description: "Credits were spent. The subject is the account.",
  data: z.object({ credits: z.number().min(0), balance: z.number().optional(), reason: text.optional() }),
});

export const quotaReached = billing({
  ...outside,
  type: "billing.quota_reached",
  description: "A part of a quota, or all of it, is used up. The subject is the account.",
  data: z.object({ quota: text, used: z.number().min(0), limit: z.number().min(0) }),
});

export const invoiceIssued = billing({
  ...outside,
  type: "billing.invoice_issued",
  description: "There is an invoice to pay. The subject is the invoice.",
  data: z.object({ number: text, total: amount, dueAt: z.iso.datetime().optional() }),
});

export const invoicePaid = billing({
  ...outside,
  type: "billing.invoice_paid",
  description: "An invoice was paid. The subject is the invoice.",
  data: z.object({ number: text, total: amount }),
});

export const paymentFailed = billing({
  ...outside,
  type: "billing.payment_failed",
  description: "A payment did not go through. The subject is the invoice.",
  data: z.object({ number: text, total: amount, reason: text.optional() }),
});
