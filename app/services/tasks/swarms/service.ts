import { createLongRunningService, type LongRunningDeps } from "../long-running/service.ts";
import { swarmJob } from "./jobs.ts";
import { toSwarmView } from "./view.ts";

export type SwarmService = ReturnType<typeof createSwarmService>;

/** What a client may do with swarms. Somebody else's does not exist for it; administrators see all. */
export function createSwarmService(deps: LongRunningDeps) {
  return createLongRunningService(deps, { kind: "swarm", contract: swarmJob, toView: toSwarmView });
}
