import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const about = z.object({ integration: z.string() });

export const connectionCreated = event({
  type: "connection.created",
  description: "A service outside was connected, or connected again. The subject is the connection.",
  audited: true,
  data: about.extend({ scopes: z.array(z.string()) }),
});

export const connectionRefreshed = event({
  type: "connection.refreshed",
  description: "A connection has new tokens. The subject is the connection.",
  audited: true,
  data: about,
});

export const connectionUsed = event({
  type: "connection.used",
  description: "A part of the program takes a token to the service that it is for. The subject is the connection.",
  audited: true,
  data: about.extend({ usedBy: z.object({ service: z.string(), subject: z.string() }) }),
});

export const connectionLost = event({
  type: "connection.lost",
  description:
    "The service outside takes the tokens of a connection no more: somebody has to connect it again. The subject is the connection.",
  audited: true,
  outcome: "failed",
  data: about,
});

export const connectionDeleted = event({
  type: "connection.deleted",
  description: "A connection is no more; whether the service outside has revoked its tokens. The subject is the connection.",
  audited: true,
  data: about.extend({ revoked: z.boolean() }),
});
