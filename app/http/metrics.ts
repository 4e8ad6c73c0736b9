import { createRoute, z } from "@hono/zod-openapi";
import { Histogram, type Registry } from "prom-client";
import { Problem } from "../platform/errors.ts";
import { createRoutes } from "./route.ts";

export interface MetricsRoutesDeps {
  readonly metrics: Registry;
  /** What a scraper has to show; undefined: nothing. */
  readonly token: string | undefined;
}

/**
 * GET /metrics  for Prometheus
 */
export function metricsRoutes({ metrics, token }: MetricsRoutesDeps) {
  return createRoutes().openapi(
    createRoute({
      tags: ["operations"],
      method: "get",
      path: "/metrics",
      summary: "Numbers for Prometheus, in its text format",
      description: "With KEELSON_METRICS_TOKEN set it takes that token as the bearer, and answers 401 without.",
      responses: {
        200: { description: "The numbers of this copy", content: { "text/plain": { schema: z.string() } } },
      },
    }),
    async (c) => {
      if (token !== undefined && !isSame(c.req.header("authorization") ?? "", `Bearer ${token}`)) throw new Problem("unauthenticated");
      return c.text(await metrics.metrics(), 200, { "content-type": metrics.contentType, "cache-control": "no-store" });
    },
  );
}

export type ObserveRequest = (method: string, status: number, seconds: number) => void;

const bucketSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Counts requests and how long their answers took to begin, by method and class of status. */
export function requestHistogram(metrics: Registry): ObserveRequest {
  const histogram = new Histogram({
    name: "keelson_http_request_duration_seconds",
    help: "From a request to the beginning of its answer",
    labelNames: ["method", "status"],
    buckets: bucketSeconds,
    registers: [metrics],
  });
  const known = new Map<string, Histogram.Internal<"method" | "status">>();
  return (method, status, seconds) => {
    const key = `${method} ${Math.floor(status / 100)}`;
    let series = known.get(key);
    if (!series) {
      series = histogram.labels(methods.has(method) ? method : "other", `${Math.floor(status / 100)}xx`);
      // Anybody may make up methods, and each would stay for ever.
      if (methods.has(method)) known.set(key, series);
    }
    series.observe(seconds);
  };
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function isSame(shown: string, wanted: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return crypto.timingSafeEqual(digest(shown), digest(wanted));
}
