import { z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { Problem } from "../platform/errors.ts";
import type { AppEnv } from "./env.ts";
import { rejectInvalid } from "./problem.ts";

const nothing = z.strictObject({});

/** For writes that take no body: none and `{}` pass; fields would be ignored, so they are refused. */
export const refuseBody = createMiddleware<AppEnv>(async function refuseBody(c, next) {
  const text = c.req.raw.body ? await c.req.text() : "";
  if (text !== "") {
    const result = nothing.safeParse(parseJson(text));
    rejectInvalid(result.success ? result : { ...result, target: "json" });
  }
  await next();
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Problem("malformed_json", { detail: "The body could not be parsed as JSON.", cause });
  }
}
