import type { JobContract } from "../platform/queue/job.ts";
import { executeJob } from "./sandbox/jobs.ts";

/** What callers may put into a queue themselves. The others are the program's own: whoever could send `auth.erase-user` could erase anybody. */
const callable: readonly JobContract[] = [executeJob];

/** Undefined for a queue that takes nothing from callers. */
export function callableContractOf(queue: string): JobContract | undefined {
  return callable.find((contract) => contract.queue === queue);
}
