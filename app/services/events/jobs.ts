import { z } from "zod";
import { defineJob } from "../../platform/queue/job.ts";

/** Sends one delivery to its subscriber. */
export const deliverJob = defineJob({
  name: "events.deliver",
  queue: "webhook-delivery",
  input: z.object({ deliveryId: z.string() }),
});

/** Collects what the log still holds between two positions for one subscription once more. */
export const replayJob = defineJob({
  name: "events.replay",
  queue: "maintenance",
  input: z.object({ subscriptionId: z.string(), run: z.string(), after: z.string(), until: z.string() }),
});
