import { HTTPException } from "hono/http-exception";
import type { z } from "zod";
import { isDatabaseUnavailable } from "../../db/errors.ts";
import { Problem, problemTypes } from "../platform/errors.ts";
import { fieldErrors } from "../platform/field-errors.ts";
import { jsonPointer } from "../platform/json-pointer.ts";
import { isRedisUnavailable } from "../platform/redis.ts";
import type { RequestContext } from "./request-context.ts";

const retryAfterSeconds = 2;

/** Answers any thrown error as `application/problem+json` (RFC 9457). What is not a `Problem` shows no internals. */
export function answerProblem(error: unknown, context: RequestContext): Response {
  const problem = toProblem(error);
  const { status, title } = problemTypes[problem.code];
  const { detail, errors, headers, members, retryAfterSeconds: retryAfter } = problem.init;
  const cause = problem.cause;
  if (status >= 500) context.log[status === 500 ? "error" : "warn"]({ err: cause ?? problem, code: problem.code }, "request failed");
  const body = {
    ...members,
    type: `/problems/${problem.code}`,
    title,
    status,
    ...(detail ? { detail } : {}),
    code: problem.code,
    instance: context.requestId,
    ...(errors ? { errors } : {}),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 401 ? { "www-authenticate": challenge(problem) } : {}),
      ...(retryAfter ? { "retry-after": String(retryAfter) } : {}),
      ...headers,
    },
  });
}

/** The hook of every validated route: a mismatch becomes a `Problem` with one JSON pointer per bad field. */
export function rejectInvalid(result: { success: true } | { success: false; target: string; error: z.core.$ZodError }): void {
  if (!result.success)
    throw new Problem("validation_failed", {
      detail: "One or more fields are not as expected.",
      errors: fieldErrors(result.error, (path) => toPointer(result.target, path)),
    });
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException && error.status === 400)
    return new Problem("malformed_json", { detail: "The body could not be parsed as JSON." });
  if (error instanceof HTTPException && error.status === 413) return new Problem("payload_too_large");
  if (error instanceof HTTPException && error.status === 415) return new Problem("unsupported_media_type");
  if (isClientGone(error)) return new Problem("malformed_json", { detail: "The body did not arrive whole." });
  if (isDatabaseUnavailable(error)) return unavailable("The database is not reachable.", error);
  if (isRedisUnavailable(error)) return unavailable("Redis is not reachable, or takes no writes now.", error);
  if (isUnstorableText(error))
    return new Problem("validation_failed", { detail: "Text must not contain the NUL character.", cause: error });
  return new Problem("internal", { cause: error });
}

function unavailable(detail: string, cause: unknown): Problem {
  return new Problem("unavailable", { detail, retryAfterSeconds, cause });
}

/** The client hung up while its body was read. */
function isClientGone(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** PostgreSQL keeps no NUL in `text` (SQLSTATE 22021). */
function isUnstorableText(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    if ("code" in current && current.code === "22021") return true;
  }
  return false;
}

/** RFC 6750 §3: a request without a token gets no error code. */
function challenge(problem: Problem): string {
  return problem.code === "invalid_token" ? `Bearer realm="keelson", error="invalid_token"` : `Bearer realm="keelson"`;
}

/** RFC 6901 for the body; `query.name` and the like for the rest, which are no JSON documents. */
function toPointer(target: string, path: readonly PropertyKey[]): string {
  if (target !== "json") return [target === "param" ? "path" : target, ...path.map(String)].join(".");
  return jsonPointer(path);
}
