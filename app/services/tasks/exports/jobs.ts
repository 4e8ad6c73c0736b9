import { z } from "zod";
import { defineJob } from "../../../platform/queue/job.ts";

/** Writes what every service keeps of the owner into the stored export. */
export const exportUserDataJob = defineJob({
  name: "tasks.export-user-data",
  queue: "export-user-data",
  input: z.object({ exportId: z.string() }),
});
