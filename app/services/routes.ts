import type { OpenAPIHono } from "@hono/zod-openapi";
import { createWhoAsks } from "../http/authenticate.ts";
import type { AppEnv } from "../http/env.ts";
import { authRoutes } from "./auth/routes.ts";
import { eventInsightRoutes } from "./events/insight/routes.ts";
import { eventRoutes } from "./events/routes.ts";
import { subscriptionRoutes } from "./events/subscriptions/routes.ts";
import { eventTypeRoutes } from "./events/types/routes.ts";
import { notifyRoutes } from "./notify/routes.ts";
import { sandboxRoutes } from "./sandbox/routes.ts";
import { approvalRoutes } from "./secrets/approvals/routes.ts";
import { auditRoutes } from "./secrets/audit/routes.ts";
import { complianceRoutes } from "./secrets/compliance/routes.ts";
import { connectionRoutes } from "./secrets/connections/routes.ts";
import { externalKeyRoutes } from "./secrets/external-keys/routes.ts";
import { integrationRoutes } from "./secrets/integrations/routes.ts";
import { keyRoutes } from "./secrets/keys/routes.ts";
import { rotationRoutes } from "./secrets/rotation/routes.ts";
import { secretRoutes } from "./secrets/routes.ts";
import { shareRoutes } from "./secrets/shares/routes.ts";
import { boardRoutes } from "./tasks/board/routes.ts";
import { exportRoutes } from "./tasks/exports/routes.ts";
import { importRoutes } from "./tasks/imports/routes.ts";
import { taskRoutes } from "./tasks/routes.ts";
import { runRoutes } from "./tasks/runs/routes.ts";
import { scheduleRoutes } from "./tasks/schedules/routes.ts";
import { swarmRoutes } from "./tasks/swarms/routes.ts";

type DepsOf<Routes extends (deps: never) => unknown> = Parameters<Routes>[0];
export type ServiceRoutesDeps = DepsOf<typeof authRoutes> &
  DepsOf<typeof taskRoutes> &
  DepsOf<typeof scheduleRoutes> &
  DepsOf<typeof runRoutes> &
  DepsOf<typeof swarmRoutes> &
  DepsOf<typeof exportRoutes> &
  DepsOf<typeof importRoutes> &
  DepsOf<typeof boardRoutes> &
  DepsOf<typeof eventRoutes> &
  Omit<DepsOf<typeof eventTypeRoutes>, "whoAsks"> &
  DepsOf<typeof subscriptionRoutes> &
  DepsOf<typeof eventInsightRoutes> &
  DepsOf<typeof notifyRoutes> &
  DepsOf<typeof sandboxRoutes> &
  DepsOf<typeof keyRoutes> &
  DepsOf<typeof auditRoutes> &
  DepsOf<typeof approvalRoutes> &
  DepsOf<typeof shareRoutes> &
  DepsOf<typeof secretRoutes> &
  DepsOf<typeof externalKeyRoutes> &
  DepsOf<typeof rotationRoutes> &
  DepsOf<typeof complianceRoutes> &
  DepsOf<typeof integrationRoutes> &
  DepsOf<typeof connectionRoutes>;

/** One set of routes per service: the whole of `/v1`, and the board below `/admin`. */
export function serviceRoutes(deps: ServiceRoutesDeps): readonly OpenAPIHono<AppEnv>[] {
  const whoAsks = createWhoAsks({ verify: deps.auth.verify, sameOrigin: deps.sameOrigin });
  return [
    authRoutes(deps),
    taskRoutes(deps),
    scheduleRoutes(deps),
    runRoutes(deps),
    swarmRoutes(deps),
    exportRoutes(deps),
    importRoutes(deps),
    boardRoutes(deps),
    eventRoutes(deps),
    eventTypeRoutes({ ...deps, whoAsks }),
    subscriptionRoutes(deps),
    eventInsightRoutes(deps),
    notifyRoutes(deps),
    sandboxRoutes(deps),
    keyRoutes(deps),
    auditRoutes(deps),
    // `/v1/secrets/requests` and `/v1/secrets/shared` are no names of secrets.
    approvalRoutes(deps),
    shareRoutes(deps),
    secretRoutes(deps),
    externalKeyRoutes(deps),
    rotationRoutes(deps),
    complianceRoutes(deps),
    integrationRoutes(deps),
    connectionRoutes(deps),
  ];
}
