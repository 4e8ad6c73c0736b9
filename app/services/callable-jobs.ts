import type { JobContract } from "../platform/queue/job.ts";
import { runProgramJob } from "./sandbox/jobs.ts";
import { programInput, type SandboxBounds } from "./sandbox/schema.ts";
import { runJob } from "./tasks/runs/jobs.ts";
import { runRequest } from "./tasks/runs/schema.ts";
import { swarmJob } from "./tasks/swarms/jobs.ts";
import { swarmRequest } from "./tasks/swarms/schema.ts";

/** Undefined for a queue that takes nothing from callers. */
export type CallableContractOf = (queue: string) => JobContract | undefined;

/** What callers may put into a queue themselves. The others are the program's own: whoever could send `auth.erase-user` could erase anybody. */
export function callableJobs(bounds: SandboxBounds): CallableContractOf {
  const callable: readonly JobContract[] = [
    { ...runProgramJob, input: programInput(bounds) },
    { ...runJob, input: runRequest(bounds) },
    { ...swarmJob, input: swarmRequest(bounds) },
  ];
  return (queue) => callable.find((contract) => contract.queue === queue);
}
