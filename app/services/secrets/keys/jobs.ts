import { z } from "zod";
import { defineJob } from "../../../platform/queue/job.ts";

/** Moves everything that is sealed to the key-encryption key of this version, then disables the older ones. */
export const rewrapJob = defineJob({
  name: "secrets.rewrap",
  queue: "maintenance",
  input: z.object({ version: z.number().int().positive() }),
});
