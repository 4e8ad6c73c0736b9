import { createLongRunningService, type LongRunningDeps } from "../long-running/service.ts";
import { runJob } from "./jobs.ts";
import { toRunView } from "./view.ts";

export type RunService = ReturnType<typeof createRunService>;

/** What a client may do with runs. Somebody else's does not exist for it; administrators see all. */
export function createRunService(deps: LongRunningDeps) {
  return createLongRunningService(deps, { kind: "run", contract: runJob, toView: toRunView });
}
