import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("events");

export const subscriptionCreated = event({
  type: "subscription.created",
  description: "Events are sent to another address from now on; its host, never the whole of it. The subject is the subscription.",
  audited: true,
  data: z.object({ host: z.string(), patterns: z.array(z.string()) }),
});

export const subscriptionUpdated = event({
  type: "subscription.updated",
  description: "A subscription was changed; the names of the fields that were given. The subject is the subscription.",
  audited: true,
  data: z.object({ changed: z.array(z.string()), status: z.string() }),
});

export const subscriptionDeleted = event({
  type: "subscription.deleted",
  description: "A subscription is no more. The subject is the subscription.",
  audited: true,
  data: z.object({ host: z.string() }),
});

export const subscriptionSecretRotated = event({
  type: "subscription.secret_rotated",
  description: "A subscription signs with another secret; with the old one too until it expires. The subject is the subscription.",
  audited: true,
  data: z.object({ overlapSeconds: z.number().int() }),
});

export const subscriptionRedriven = event({
  type: "subscription.redriven",
  description:
    "Dead deliveries were given all their attempts again: how many, of the named ones or of all. The subject is the subscription.",
  audited: true,
  data: z.object({ redriven: z.number().int(), named: z.boolean() }),
});

export const subscriptionReplayed = event({
  type: "subscription.replayed",
  description: "What the log holds is sent again, from where it was asked for. The subject is the subscription.",
  audited: true,
  data: z.object({ since: z.string(), taskId: z.string() }),
});

export const subscriptionDisabled = event({
  type: "subscription.disabled",
  description:
    "A subscription's address has failed for long, or wants no more: nothing is sent there until somebody enables it. The subject is the subscription.",
  audited: true,
  data: z.object({ reason: z.string() }),
});

export const deliveryDied = event({
  type: "subscription.delivery_died",
  description: "A delivery was tried for the last time; it is kept among the dead letters. The subject is the subscription.",
  data: z.object({ deliveryId: z.string(), attempts: z.number().int(), error: z.string() }),
});
