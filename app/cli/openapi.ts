import { sandboxBounds } from "../config.ts";
import { healthRoutes } from "../http/health.ts";
import { describeApi } from "../http/openapi.ts";
import { createRoutes } from "../http/route.ts";
import type { CommandOptions } from "../main.ts";
import { type ServiceRoutesDeps, serviceRoutes } from "../services/routes.ts";
import { withConfig } from "./configure.ts";

/** Prints the OpenAPI document; needs no database and no running copy. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config) => {
    const api = createRoutes();
    const guards = { credentials: [], signedInCredentials: [], open: [], signedIn: [], admin: [] };
    api.route("/", healthRoutes({ readiness: neverCalled() }));
    const deps = neverCalled<Pick<ServiceRoutesDeps, "auth" | "tasks" | "notify" | "sandbox" | "streams">>();
    for (const routes of serviceRoutes({ ...deps, guards, bounds: sandboxBounds(config), developmentMailbox: false }))
      api.route("/", routes);
    console.log(JSON.stringify(describeApi(api), null, 2));
    return 0;
  });
}

/** Stands for what only a served request would use: here routes are described and never called. */
function neverCalled<T>(): T {
  return {} as T;
}
