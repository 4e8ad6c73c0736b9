import { defineJob } from "../../../platform/queue/job.ts";
import { boundsMax } from "../long-running/schema.ts";
import { runRequest } from "./schema.ts";

export const runJob = {
  ...defineJob({ name: "tasks.run", queue: "run-start", input: runRequest(boundsMax) }),
  queue: "run-start",
} as const;
