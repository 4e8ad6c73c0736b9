import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("tasks");

export const exportRequested = event({
  type: "export.requested",
  description: "A copy of all that is known of a user is being made. The subject is the export.",
  audited: true,
  data: z.object({ taskId: z.string() }),
});
export const exportDownloaded = event({
  type: "export.downloaded",
  description: "A copy of all that is known of a user was fetched. The subject is the export.",
  audited: true,
  data: z.object({}),
});
