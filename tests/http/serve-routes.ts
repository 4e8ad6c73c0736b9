import type { OpenAPIHono } from "@hono/zod-openapi";
import pino from "pino";
import { Registry } from "prom-client";
import type { AppEnv } from "../../app/http/env.ts";
import { createApp, listen } from "../../app/http/server.ts";

/** The real app around routes of the test's own, on a free port: for what no route of ours does, such as throwing. */
export interface ServedRoutes {
  readonly url: string;
  /** What was logged so far, one object per line. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  stop(now: AbortSignal): Promise<void>;
}

export function serveRoutes(routes: OpenAPIHono<AppEnv>, options: { readonly trustedProxies?: number } = {}): ServedRoutes {
  const log: Record<string, unknown>[] = [];
  const app = createApp({
    log: pino({ level: "debug", base: null }, { write: (line: string) => void log.push(JSON.parse(line)) }),
    trustedProxies: options.trustedProxies ?? 0,
    corsOrigins: [],
    metrics: new Registry(),
    metricsToken: undefined,
    readiness: async () => ({ status: "ready", dependencies: {} }),
    services: [routes],
  });
  return { ...listen(app, { host: "127.0.0.1", port: 0 }), log };
}
