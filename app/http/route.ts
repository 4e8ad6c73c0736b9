import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { Router } from "hono/router";
import type { H, RouterRoute } from "hono/types";
import { type ProblemCode, problemTypes } from "../platform/errors.ts";
import type { AppEnv } from "./env.ts";
import { rejectInvalid } from "./problem.ts";

/** What stands before a route: `open` for anybody, `signedIn` behind an access token, `admin` for administrators. */
export interface Guards {
  /** Open routes that try credentials: few tries per address. */
  readonly credentials: MiddlewareHandler<AppEnv>[];
  readonly open: MiddlewareHandler<AppEnv>[];
  /** Routes that try credentials behind an access token: both limits. */
  readonly signedInCredentials: MiddlewareHandler<AppEnv>[];
  readonly signedIn: MiddlewareHandler<AppEnv>[];
  readonly admin: MiddlewareHandler<AppEnv>[];
}

/** An empty set of routes whose validation failures are problems. */
export function createRoutes(router?: Router<[H, RouterRoute]>): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({ ...(router ? { router } : {}), defaultHook: (result) => rejectInvalid(result) });
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

/** The documented refusals of a route, by code: their statuses with the problem schema. */
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
