import { z } from "zod";
import { defineJob } from "../../platform/queue/job.ts";

/** Erases a closed account and what belongs to it in every service. */
export const eraseUserJob = defineJob({ name: "auth.erase-user", queue: "maintenance", input: z.object({ userId: z.string() }) });
