import { z } from "zod";
import { rotationStrategies } from "../../../../db/schema/rotation.ts";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const name = z.string();
const rotationId = z.string();
const about = "The subject is the secret.";

export const policySet = event({
  type: "secret.policy_set",
  description: `A secret has a rotation policy, or another one. ${about}`,
  audited: true,
  data: z.object({ name, everyDays: z.number().int(), strategy: z.enum(rotationStrategies) }),
});

export const policyRemoved = event({
  type: "secret.policy_removed",
  description: `A secret is not rotated any more. ${about}`,
  audited: true,
  data: z.object({ name }),
});

export const rotationUpcoming = event({
  type: "secret.rotation_upcoming",
  description: `A secret will be rotated at the time that is given. ${about}`,
  data: z.object({ name, at: z.iso.datetime() }),
});

export const rotationDue = event({
  type: "secret.rotation_due",
  description: `It is time for somebody to rotate a secret. ${about}`,
  data: z.object({ name, at: z.iso.datetime() }),
});

export const secretRotated = event({
  type: "secret.rotated",
  description: `A secret has a new value; the one from before is valid until the time that is given, if there is one. ${about}`,
  audited: true,
  data: z.object({ name, rotationId, from: z.number().int(), to: z.number().int(), overlapUntil: z.iso.datetime().optional() }),
});

export const rotationCompleted = event({
  type: "secret.rotation_completed",
  description: `Only the new value of a secret is valid now. ${about}`,
  audited: true,
  data: z.object({ name, rotationId, version: z.number().int() }),
});

export const rotationFailed = event({
  type: "secret.rotation_failed",
  description: `A secret was not rotated; it keeps its value, and is tried again a day later. ${about}`,
  audited: true,
  outcome: "failed",
  data: z.object({ name, rotationId, error: z.string() }),
});

export const rotationRolledBack = event({
  type: "secret.rotation_rolled_back",
  description: `The new value of a secret did not work for those who use it: the one from before is back, and the policy rests until it is set again. ${about}`,
  audited: true,
  outcome: "failed",
  data: z.object({ name, rotationId, from: z.number().int(), version: z.number().int(), errors: z.number().int() }),
});
