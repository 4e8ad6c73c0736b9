import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");

export const auditExported = event({
  type: "audit.exported",
  description: "An administrator took a copy of the audit trail.",
  audience: "admins",
  audited: true,
  data: z.object({ format: z.enum(["ndjson", "cef"]), filter: z.record(z.string(), z.string()) }),
});

export const unusualAccess = event({
  type: "security.unusual_access",
  description:
    "Somebody reads secrets in a way that they have not before: at another hour (UTC), from another network, or much faster. The subject is the user.",
  audited: true,
  data: z.object({ kind: z.enum(["hour", "network", "rate"]), action: z.string(), entryId: z.string(), detail: z.string() }),
});

export const auditPushFailing = event({
  type: "audit.push_failing",
  description: "The collector has not taken the audit trail for some time. It is tried again until it does.",
  audience: "admins",
  data: z.object({ since: z.iso.datetime(), behind: z.number().int() }),
});

export const trailMoved = event({
  type: "audit.trail_moved",
  description: "The audit trail goes on in another database, which it was restored into. `after` is the last entry of before.",
  audience: "admins",
  audited: true,
  data: z.object({ after: z.number().int() }),
});
