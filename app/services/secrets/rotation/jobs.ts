import { z } from "zod";
import { defineJob } from "../../../platform/queue/job.ts";

/** Makes the next value of a secret and puts it in its place. */
export const rotateJob = defineJob({
  name: "secrets.rotate",
  queue: "maintenance",
  input: z.object({ rotationId: z.string() }),
});
