import { createRoute, z } from "@hono/zod-openapi";
import { createRoutes, jsonAnswer } from "./route.ts";

export interface Dependency {
  readonly name: string;
  /** Throws, with a message for the operator, when the dependency is not usable. */
  check(): Promise<void> | void;
}

const checkTimeoutMs = 2_500;
/** Probes that come thick and fast share one look. */
const sharedMs = 250;

const report = z
  .object({
    status: z.enum(["ready", "unavailable"]),
    dependencies: z.record(z.string(), z.object({ status: z.enum(["ok", "failed"]), detail: z.string().optional() })),
  })
  .openapi("Readiness");
export type Readiness = z.infer<typeof report>;

/**
 * GET /healthz  the process answers
 * GET /readyz   every dependency by name; 503 when one of them fails
 */
export function healthRoutes(deps: { readonly readiness: () => Promise<Readiness> }) {
  return createRoutes()
    .openapi(
      createRoute({
        tags: ["operations"],
        method: "get",
        path: "/healthz",
        summary: "The process answers",
        responses: { 200: jsonAnswer("It does", z.object({ status: z.literal("ok") })) },
      }),
      (c) => c.json({ status: "ok" as const }, 200),
    )
    .openapi(
      createRoute({
        tags: ["operations"],
        method: "get",
        path: "/readyz",
        summary: "This copy can serve",
        responses: { 200: jsonAnswer("It can", report), 503: jsonAnswer("A dependency fails", report) },
      }),
      async (c) => {
        const readiness = await deps.readiness();
        c.header("cache-control", "no-store");
        if (readiness.status === "ready") return c.json(readiness, 200);
        return c.json(readiness, 503, { "retry-after": "2" });
      },
    );
}

/** Looks at all dependencies at once, each with a time limit. */
export function createReadiness(dependencies: readonly Dependency[]): () => Promise<Readiness> {
  let shared: { readonly at: number; readonly report: Promise<Readiness> } | undefined;
  return () => {
    if (!shared || performance.now() - shared.at > sharedMs) shared = { at: performance.now(), report: look(dependencies) };
    return shared.report;
  };
}

async function look(dependencies: readonly Dependency[]): Promise<Readiness> {
  const entries = await Promise.all(dependencies.map(async (dependency) => [dependency.name, await lookAt(dependency)] as const));
  const ready = entries.every(([, { status }]) => status === "ok");
  return { status: ready ? "ready" : "unavailable", dependencies: Object.fromEntries(entries) };
}

async function lookAt(dependency: Dependency): Promise<Readiness["dependencies"][string]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  try {
    await Promise.race([Promise.resolve().then(() => dependency.check()), late.promise]);
    return { status: "ok" };
  } catch (error) {
    return { status: "failed", detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
