import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");

export const keyRotated = event({
  type: "key.rotated",
  description: "There is a new key-encryption key, which is in force from the time it says. The subject is its version.",
  audience: "admins",
  audited: true,
  data: z.object({ version: z.number().int(), inForceFrom: z.iso.datetime() }),
});

export const keyDisabled = event({
  type: "key.disabled",
  description: "Nothing is sealed with a key-encryption key any more, and it opens nothing from now on. The subject is its version.",
  audience: "admins",
  audited: true,
  data: z.object({ version: z.number().int() }),
});

export const valueUnreadable = event({
  type: "key.value_unreadable",
  description: "Values whose data key does not open were left as they are: they have been altered. The subject is their table.",
  audience: "admins",
  audited: true,
  outcome: "failed",
  data: z.object({ table: z.string(), count: z.number().int() }),
});
