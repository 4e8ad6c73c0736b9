import { sandboxBounds } from "../config.ts";
import { createGuards } from "../http/guards.ts";
import { healthRoutes } from "../http/health.ts";
import { metricsRoutes } from "../http/metrics.ts";
import { describeApi } from "../http/openapi.ts";
import { createRoutes } from "../http/route.ts";
import type { CommandOptions } from "../main.ts";
import { serviceRoutes } from "../services/routes.ts";
import { withConfig } from "./configure.ts";

/** Prints the OpenAPI document; needs no database and no running copy. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config) => {
    const api = createRoutes();
    const guards = createGuards({
      verify: neverCalled(),
      limiter: neverCalled(),
      idempotencyRecords: neverCalled(),
      sameOrigin: neverCalled(),
      bodyBytesMax: config.KEELSON_BODY_BYTES_MAX,
      requestsPerMinute: config.KEELSON_RATE_LIMIT_PER_MINUTE,
      refusalsPerMinute: config.KEELSON_REFUSED_LIMIT_PER_MINUTE,
      credentialTriesPerMinute: config.KEELSON_LOGIN_LIMIT_PER_MINUTE,
    });
    api.route("/", healthRoutes({ readiness: neverCalled() }));
    api.route("/", metricsRoutes({ metrics: neverCalled(), token: undefined }));
    const routes = serviceRoutes({
      auth: neverCalled(),
      tasks: neverCalled(),
      queues: neverCalled(),
      schedules: neverCalled(),
      runs: neverCalled(),
      swarms: neverCalled(),
      exports: neverCalled(),
      imports: neverCalled(),
      board: neverCalled(),
      events: neverCalled(),
      eventTypes: neverCalled(),
      eventStreams: neverCalled(),
      subscriptions: neverCalled(),
      deliveries: neverCalled(),
      eventInsight: neverCalled(),
      publicUrl: "",
      notify: neverCalled(),
      sandbox: neverCalled(),
      sandboxInsight: neverCalled(),
      keys: neverCalled(),
      externalKeys: neverCalled(),
      rotation: neverCalled(),
      compliance: neverCalled(),
      integrations: neverCalled(),
      connections: neverCalled(),
      audit: neverCalled(),
      secrets: neverCalled(),
      secretVersions: neverCalled(),
      secretReading: neverCalled(),
      secretImports: neverCalled(),
      secretShares: neverCalled(),
      secretApprovals: neverCalled(),
      streams: neverCalled(),
      sameOrigin: neverCalled(),
      guards,
      bounds: sandboxBounds(config),
      developmentMailbox: false,
    });
    for (const of of routes) api.route("/", of);
    console.log(JSON.stringify(describeApi(api), null, 2));
    return 0;
  });
}

/** Stands for what only a served request would use, whatever is looked up in it: here routes are described and never called. */
function neverCalled<T>(): T {
  return new Proxy({}, { get: () => neverCalled() }) as T;
}
