import { defineJob } from "../../../platform/queue/job.ts";
import { boundsMax } from "../long-running/schema.ts";
import { swarmRequest } from "./schema.ts";

export const swarmJob = {
  ...defineJob({ name: "tasks.swarm", queue: "swarm-execution", input: swarmRequest(boundsMax) }),
  queue: "swarm-execution",
} as const;
