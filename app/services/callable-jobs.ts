import type { JobContract } from "../platform/queue/job.ts";
import { runProgramJob } from "./sandbox/jobs.ts";
import { programInput, type SandboxBounds } from "./sandbox/schema.ts";

/** Undefined for a queue that takes nothing from callers. */
export type CallableContractOf = (queue: string) => JobContract | undefined;

/** What callers may put into a queue themselves. The others are the program's own: whoever could send `auth.erase-user` could erase anybody. */
export function callableJobs(bounds: SandboxBounds): CallableContractOf {
  const callable: readonly JobContract[] = [{ ...runProgramJob, input: programInput(bounds) }];
  return (queue) => callable.find((contract) => contract.queue === queue);
}
