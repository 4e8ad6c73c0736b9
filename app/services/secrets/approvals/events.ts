import { z } from "zod";
import { approvalActions } from "../../../../db/schema/secrets.ts";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const data = z.object({ name: z.string(), requestId: z.string(), action: z.enum(approvalActions), requestedBy: z.string() });

export const approvalRequested = event({
  type: "secret.approval_requested",
  description: "Somebody asks to do something with a secret that takes two. The subject is the secret.",
  audited: true,
  data: data.extend({ reason: z.string() }),
});

export const approvalGranted = event({
  type: "secret.approval_granted",
  description: "A second person has approved a request: it may be used once. The subject is the secret.",
  audited: true,
  data: data.extend({ expiresAt: z.iso.datetime() }),
});

export const approvalDenied = event({
  type: "secret.approval_denied",
  description: "A second person has denied a request. The subject is the secret.",
  audited: true,
  data,
});

export const approvalUsed = event({
  type: "secret.approval_used",
  description: "What had been approved was done. The subject is the secret.",
  audited: true,
  data,
});

export const approvalExpired = event({
  type: "secret.approval_expired",
  description: "Nobody decided a request in time, or nobody used it. The subject is the secret.",
  audited: true,
  data,
});
