import { z } from "zod";
import { externalKeyStatuses } from "../../../../db/schema/external-keys.ts";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const about = z.object({ service: z.string(), name: z.string() });

export const externalKeyCreated = event({
  type: "external_key.created",
  description: "Somebody brought a key of a service outside. The subject is the key.",
  audited: true,
  data: about,
});

export const externalKeyUpdated = event({
  type: "external_key.updated",
  description: "A key of a service outside was replaced or renamed; the names of the fields that were given. The subject is the key.",
  audited: true,
  data: about.extend({ changed: z.array(z.string()) }),
});

export const externalKeyDeleted = event({
  type: "external_key.deleted",
  description: "A key of a service outside is no more. The subject is the key.",
  audited: true,
  data: about,
});

export const externalKeyUsed = event({
  type: "external_key.used",
  description: "A part of the program takes a key to the service that it is for. The subject is the key.",
  audited: true,
  data: about.extend({ usedBy: z.object({ service: z.string(), subject: z.string() }) }),
});

export const externalKeyChecked = event({
  type: "external_key.checked",
  description: "The service outside says something else of a key than before. The subject is the key.",
  audited: true,
  data: about.extend({ status: z.enum(externalKeyStatuses) }),
});
