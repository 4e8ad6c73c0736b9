import { z } from "zod";
import { defineJob } from "../../platform/queue/job.ts";

/** Runs the stored execution; the row has the code and the limits. */
export const executeJob = defineJob({
  name: "sandbox.execute",
  queue: "sandbox-execution",
  input: z.object({ executionId: z.string() }),
});
