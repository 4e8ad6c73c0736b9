import type { z } from "zod";
import type { FieldError } from "./errors.ts";
import { jsonPointer } from "./json-pointer.ts";

/** Whoever sends ten thousand wrong fields learns enough from some of them. */
const fieldErrorsMax = 50;

/** What a schema did not find as expected, one entry per field; `pointerOf` says what a path is called, unless it leads into a JSON document. */
export function fieldErrors(error: z.core.$ZodError, pointerOf: (path: readonly PropertyKey[]) => string = jsonPointer): FieldError[] {
  return error.issues.slice(0, fieldErrorsMax).flatMap((issue) => {
    const paths =
      issue.code === "unrecognized_keys" ? issue.keys.slice(0, fieldErrorsMax).map((key) => [...issue.path, key]) : [issue.path];
    const detail = issue.code === "unrecognized_keys" ? "unknown field" : issue.message;
    return paths.map((path) => ({ pointer: pointerOf(path), detail }));
  });
}
