import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { Router } from "hono/router";
import type { H, RouterRoute } from "hono/types";
import { type ProblemCode, problemTypes } from "../platform/errors.ts";
import type { AppEnv } from "./env.ts";
import { behind, type Guard } from "./guard.ts";
import { rejectInvalid } from "./problem.ts";
import { refuseBody } from "./refuse-body.ts";

/** What stands before a route: `open` for anybody, `signedIn` behind an access token, `admin` for administrators. */
export interface Guards {
  /** Open routes that try credentials: few tries per address. */
  readonly credentials: Guard[];
  readonly open: Guard[];
  /** Routes that try credentials behind an access token: both limits. */
  readonly signedInCredentials: Guard[];
  readonly signedIn: Guard[];
  readonly admin: Guard[];
}

/** An empty set of routes whose validation failures are problems. Each route added is completed by what follows from its guard and method. */
export function createRoutes(router?: Router<[H, RouterRoute]>): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>({ ...(router ? { router } : {}), defaultHook: (result) => rejectInvalid(result) });
  const { openapi } = routes;
  routes.openapi = (route, handler, hook) => {
    const guard = guardOf(route);
    if (!guard || isWrite(route) || route.request) return openapi(completed(route), handler, hook);
    return openapi({ ...completed(route), middleware: middlewareOf(route).filter((it) => it !== guard) }, behind(guard, handler), hook);
  };
  return routes;
}

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional(),
    code: z.string(),
    instance: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .catchall(z.unknown())
  .openapi("Problem");

/** A log-in. */
export const bearerSecurity = [{ bearer: [] }];
/** A log-in or an API key, which may also come as the bearer. */
export const keySecurity = [{ bearer: [] }, { apiKey: [] }];

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { content: { "application/json": { schema } }, required: true };
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } };
}

/** The documented refusals of a route beyond those of its guard, by code: their statuses with the problem schema. */
export function problemAnswers(
  ...codes: readonly ProblemCode[]
): Record<string, { description: string; content: { "application/problem+json": { schema: typeof problemSchema } } }> {
  const byStatus = Map.groupBy(codes, (code) => String(problemTypes[code].status));
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      { description: of.join(", "), content: { "application/problem+json": { schema: problemSchema } } },
    ]),
  );
}

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description: "The same key with the same request gets the first answer again, for a day",
  schema: { type: "string" as const, minLength: 1, maxLength: 255 },
} as const;

/** No route has to say what its guard refuses and reads. A write that declares no body takes none. What is added changes no type: refusals are thrown. */
function completed<Route extends RouteConfig>(route: Route): Route {
  const middleware = middlewareOf(route);
  const guard = guardOf(route);
  const bodiless = isWrite(route) && !route.request?.body;
  return {
    ...route,
    ...(guard ? { responses: withRefusals(route.responses, refusalsOf(guard, route)) } : {}),
    ...(guard && takesIdempotencyKey(guard, route) ? { parameters: [idempotencyKey] } : {}),
    ...(bodiless ? { middleware: [...middleware, refuseBody] } : {}),
  };
}

function middlewareOf({ middleware }: RouteConfig): MiddlewareHandler[] {
  return [middleware ?? []].flat();
}

function guardOf(route: RouteConfig): Guard | undefined {
  return middlewareOf(route).find((it): it is Guard => "admits" in it);
}

type Verb = Pick<RouteConfig, "method">;

function isWrite({ method }: Verb): boolean {
  return method !== "get";
}

function takesIdempotencyKey({ admits }: Guard, { method }: Verb): boolean {
  return method === "post" && admits !== "anybody";
}

function refusalsOf(guard: Guard, verb: Verb): readonly ProblemCode[] {
  const isSignedIn = guard.admits !== "anybody";
  const rules: readonly (readonly [applies: boolean, ...ProblemCode[]])[] = [
    [true, "rate_limited"],
    [isWrite(verb), "validation_failed", "malformed_json", "payload_too_large", "unsupported_media_type"],
    [isSignedIn, "unauthenticated", "invalid_token", "insufficient_scope"],
    [isSignedIn && isWrite(verb), "cross_site_request"],
    [guard.admits === "admins", "forbidden"],
    [takesIdempotencyKey(guard, verb), "idempotency_in_flight", "idempotency_mismatch"],
  ];
  return rules.flatMap(([applies, ...codes]) => (applies ? codes : []));
}

/** One answer per status names all of its codes. */
function withRefusals(said: RouteConfig["responses"], codes: readonly ProblemCode[]): RouteConfig["responses"] {
  const merged = Object.entries(problemAnswers(...codes)).map(([status, answer]) => {
    const before = said[status];
    const names = before && "description" in before ? before.description.split(", ") : [];
    return [status, { ...answer, description: [...new Set([...names, ...answer.description.split(", ")])].join(", ") }] as const;
  });
  return { ...said, ...Object.fromEntries(merged) };
}
