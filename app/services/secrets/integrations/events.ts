import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const data = z.object({ name: z.string() });

export const integrationCreated = event({
  type: "integration.created",
  description: "Users can connect to another service outside. The subject is the integration.",
  audience: "admins",
  audited: true,
  data,
});

export const integrationUpdated = event({
  type: "integration.updated",
  description:
    "An integration was changed, or switched on or off; the names of the fields that were given. The subject is the integration.",
  audience: "admins",
  audited: true,
  data: data.extend({ changed: z.array(z.string()) }),
});

export const integrationDeleted = event({
  type: "integration.deleted",
  description: "An integration is no more, with all connections to it. The subject is the integration.",
  audience: "admins",
  audited: true,
  data: data.extend({ connections: z.number().int() }),
});
