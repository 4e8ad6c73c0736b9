import { z } from "zod";
import { audienceRules, eventsOf } from "../../platform/events.ts";

const event = eventsOf("events");

export const eventTypeRegistered = event({
  type: "event_type.registered",
  description: "An administrator registered an event type, or another version of one. The subject is the type.",
  audience: "admins",
  audited: true,
  data: z.object({ type: z.string(), version: z.number().int(), audience: z.enum(audienceRules) }),
});

export const eventDeadLettered = event({
  type: "event.dead_lettered",
  description: "A durable group could not handle an event, which is kept for it. The subject is the dead letter.",
  audience: "admins",
  data: z.object({ group: z.string(), eventId: z.string(), eventType: z.string(), attempts: z.number().int(), error: z.string() }),
});

export const groupRedriven = event({
  type: "event.group_redriven",
  description:
    "An administrator has a durable group try its dead letters again: how many, of the named ones or of all. The subject is the group.",
  audience: "admins",
  audited: true,
  data: z.object({ group: z.string(), redriven: z.number().int(), named: z.boolean() }),
});

export const groupOverrun = event({
  type: "event.group_overrun",
  description:
    "Retention removed events that a durable group had not handled; `events` counts no further than a page. The subject is the group.",
  audience: "admins",
  data: z.object({ group: z.string(), patterns: z.array(z.string()), after: z.string(), through: z.string(), events: z.number().int() }),
});
