import { type AnySchema, type ErrorObject, Ajv2020 as Validator } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { type FieldError, Problem } from "../../../platform/errors.ts";

type JsonSchema = Readonly<Record<string, unknown>> | boolean;

/** What is wrong with the data, by JSON pointer below it; empty when nothing is. */
export type Validate = (data: unknown) => readonly FieldError[];

const faultsMax = 50;

/** Throws `Problem` (`validation_failed`) when it is no JSON Schema 2020-12, or refers to one that is elsewhere. */
export function compileSchema(schema: JsonSchema): Validate {
  const ajv = new Validator({ allErrors: true, strict: false, validateSchema: true, logger: false });
  addFormats.default(ajv);
  try {
    const validate = ajv.compile(schema as AnySchema);
    return (data) => (validate(data) ? [] : (validate.errors ?? []).slice(0, faultsMax).map(toFieldError));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Problem("validation_failed", { detail: "That is not a schema.", errors: [{ pointer: "/schema", detail }] });
  }
}

/** Of a property that is missing or too much the pointer is the property's, not that of the object around it. */
function toFieldError({ instancePath, keyword, params, message }: ErrorObject): FieldError {
  const name: unknown = keyword === "required" ? params.missingProperty : params.additionalProperty;
  const pointer = typeof name === "string" ? `${instancePath}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}` : instancePath;
  const detail = keyword === "required" ? "is required" : keyword === "additionalProperties" ? "unknown field" : (message ?? keyword);
  return { pointer, detail };
}
